# Completion of llmfp-export for bash. Source this file, or install it as
# share/bash-completion/completions/llmfp-export.

_llmfp_export()
{
    local word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == = ]] && word=
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--csv --json --correlations -o --output -h --help
            --version' -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _llmfp_export llmfp-export
