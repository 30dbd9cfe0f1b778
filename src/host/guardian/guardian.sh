# Outlives the harness and kills what it has left behind.
# $1: the environment entry that marks the run's processes; $2: the directory to remove.
# Standard input: "+GROUP", "-GROUP", "quit" (all is well), "end" (as the end of the file: the harness is gone).
trap '' INT TERM HUP

groups=' '
while IFS= read -r line; do
    case $line in
    +*) groups="$groups${line#+} " ;;
    -*)
        gone=${line#-}
        case $groups in
        *" $gone "*) groups="${groups%%" $gone "*} ${groups#*" $gone "}" ;;
        esac
        ;;
    quit) exit 0 ;;
    end) break ;;
    esac
done

for group in $groups; do
    # dash takes "-KILL -- -1" for an illegal number.
    kill -s KILL -- "-$group"
done

# A process in the middle of an exec shows no environment for a moment: only what is clean twice is clean.
round=0
clean=0
while [ "$round" -lt 100 ] && [ "$clean" -lt 2 ]; do
    found=
    for file in $(grep -lsF -- "$1" /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        kill -s KILL "${pid%/environ}" && found=yes
    done
    if [ -n "$found" ]; then clean=0; else clean=$((clean + 1)); fi
    round=$((round + 1))
    # Not every sleep knows fractions.
    sleep 0.02 || sleep 1
done

rm -rf -- "$2"
