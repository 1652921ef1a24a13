# Completion of llmfp-report for bash. Source this file, or install it as
# share/bash-completion/completions/llmfp-report.

_llmfp_report()
{
    local word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-o --output -h --help --version' -- "$word")
    else
        [[ $word == = ]] && word=
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
    return 0
}

complete -o filenames -F _llmfp_report llmfp-report
