# Completion of llmfp-scan for bash. Source this file, or install it as
# share/bash-completion/completions/llmfp-scan.

_llmfp_scan_values()
{
    local option=$1 word=$2
    case $option in
    -o | --output | --rules | --verify)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    --roles)
        # Complete the last name of a list.
        local before=
        [[ $word == *,* ]] && before=${word%,*},
        mapfile -t COMPREPLY < <(compgen -P "$before" -W '
            attn.q attn.k attn.v attn.o attn.gate attn.sink attn.q_norm attn.k_norm
            attn.q_a attn.q_b attn.kv_a attn.kv_b attn.q_a_norm attn.kv_a_norm attn.qkv attn.*
            norm.attn norm.attn_post norm.mlp norm.mlp_post norm.final norm.*
            mlp.gate mlp.up mlp.down mlp.* moe.router moe.shared.gate moe.shared.up
            moe.shared.down moe.shared.router moe.* embed lm_head *.bias' -- "${word##*,}")
        ;;
    --chunk)
        mapfile -t COMPREPLY < <(compgen -W '512K 4M 16M 64M 256M 1G' -- "$word")
        ;;
    --part)
        mapfile -t COMPREPLY < <(compgen -W '1/2 1/4 1/8 1/16' -- "$word")
        ;;
    --io)
        mapfile -t COMPREPLY < <(compgen -W 'auto mmap pread direct' -- "$word")
        ;;
    --progress)
        mapfile -t COMPREPLY < <(compgen -W 'auto bar plain none' -- "$word")
        ;;
    --summary)
        mapfile -t COMPREPLY < <(compgen -W 'text json none' -- "$word")
        ;;
    *)
        return 1
        ;;
    esac
}

_llmfp_scan()
{
    local word=${COMP_WORDS[COMP_CWORD]} option=
    ((COMP_CWORD > 0)) && option=${COMP_WORDS[COMP_CWORD - 1]}
    # Bash takes --name=value apart at the equals sign.
    if [[ $word == = ]]; then
        word=
    elif [[ $option == = ]] && ((COMP_CWORD > 1)); then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    # A * among the names of roles is meant as it stands.
    local glob=1
    [[ $- == *f* ]] && glob=0
    set -f
    if ! _llmfp_scan_values "$option" "$word"; then
        if [[ $word == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W '-o --output --roles --rules --dry-run --resume --append
                --overwrite --strict --chunk --io --progress --summary --part --merge --verify --with-checkpoints
                --timings -q --quiet
                -v --verbose -h --help --version' -- "$word")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
    fi
    ((glob)) && set +f
    return 0
}

complete -o filenames -F _llmfp_scan llmfp-scan
