# Completion of llmfp-inspect for bash. Source this file, or install it as
# share/bash-completion/completions/llmfp-inspect.

_llmfp_inspect()
{
    local word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == = ]] && word=
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--json --tensors --rules -h --help --version' -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}

complete -o filenames -F _llmfp_inspect llmfp-inspect
