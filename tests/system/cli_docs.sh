#!/usr/bin/env bash
# What the commands say about themselves: --help, man pages, completion. Nothing of it may drift from the option tables.
. "${BASH_SOURCE%/*}/lib.sh"

man=$ROOT/deploy/man
options() { grep -oE '^  (-., |    )--(\[no-\])?[a-z-]+' | grep -oE '\-\-.*' | sed 's/\[no-\]//' | sort -u; }
documented() { sed 's/\\-/-/g' "$1" | grep -E '^(\.TP|\\fB)' | grep -oE -- '\\fB--[a-z-]+' | sed 's/\\fB//' | sort -u; }

# check_help WORDS…: three examples first, then what it is
check_help() {
        run "$@" --help
        equal "$* --help: exit code" "$status" 0
        equal "$* --help: starts with examples" "$(head -n 1 <<<"$out")" "Examples:"
        check "$* --help: at least three" test "$(sed -n '2,/^$/p' <<<"$out" | grep -c .)" -ge 3
        equal "$* --help: fits the screen" "$(awk 'length($0) > 120' <<<"$out")" ""
        matches "$* --version" "$("$@" --version)" "^${1##*/}.* [0-9]+\.[0-9]+\.[0-9]+$"
}

for program in jobsubmit:1 jobworker:1 jobcoordinator:8; do
        page=$man/${program/:/.}
        program=${program%:*}
        check_help "$program"
        options <<<"$out" >"$T/help"
        [ -e "$page" ] || {
                fail "$program has a man page"
                continue
        }
        equal "$program: the man page has every option" "$(comm -23 "$T/help" <(documented "$page"))" ""
        equal "$program: and no other" "$(comm -13 "$T/help" <(documented "$page"))" ""
done

: >"$T/ctl"
jobctl --help >"$T/general"
options <"$T/general" >>"$T/ctl"
mapfile -t commands < <(sed -n '/^Commands:/,/^$/p' "$T/general" | sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p')
check "jobctl lists its commands" test ${#commands[@]} -ge 30
for command in "${commands[@]}"; do
        # shellcheck disable=SC2086
        check_help jobctl $command
        options <<<"$out" >>"$T/ctl"
        check "jobctl $command is in the man page" grep -qE "^\.SS jobctl ${command}( |\$)" <(sed 's/\\-/-/g' "$man/jobctl.1")
done
sort -u "$T/ctl" -o "$T/ctl"
equal "jobctl: the man page has every option" "$(comm -23 "$T/ctl" <(documented "$man/jobctl.1"))" ""
equal "jobctl: and no other" "$(comm -13 "$T/ctl" <(documented "$man/jobctl.1"))" ""

for page in "$man"/*.[158]; do
        equal "man ${page##*/}: no warnings" "$(LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)" ""
done

# --- completion
. "$ROOT/deploy/packaging/jobmill.bash-completion"
completes() { # WORDS… : what the last one could become
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _jobmill
        printf '%s ' "${COMPREPLY[@]}"
}
equal "completion: a command" "$(completes jobctl canc)" "cancel "
equal "completion: the second word" "$(completes jobctl user '')" "ls add rm set "
equal "completion: an option" "$(completes jobsubmit --at-m)" "--at-most-once "
equal "completion: an option of a command" "$(completes jobctl logs --lab)" "--label "
equal "completion: a setting" "$(completes jobctl set max-)" "max-running= max-fails= "
equal "completion: a status" "$(completes jobctl ls --status succ)" "succeeded "
matches "completion: all options of jobsubmit" "$(completes jobsubmit --)" '--array .*--wait .*--dry-run '

# --- the profile's sample is a profile
install -m 600 "$ROOT/deploy/config/profile" "$T/sample.profile"
exits "the sample profile is read; nobody answers there" 69 jobctl --profile "$T/sample.profile" --connect-timeout 0.2s ls

# --- wrong use
exits "jobctl alone shows what there is" 64 jobctl
exits "an unknown command" 64 jobctl lsit
matches "has a suggestion" "$err" 'did you mean ls?'
exits "a group alone" 64 jobctl user
matches "names its commands" "$err" 'user add'
exits "an unknown option" 64 jobctl ls --colums x
matches "has a suggestion" "$err" 'unknown option --colums'
exits "a word before the command is no command" 64 jobctl nosuch ls
matches "and is named" "$err" "no command 'nosuch'"
exits "options may stand before the command" 69 jobctl --connect-timeout 0.2s --profile "$T/sample.profile" ls
exits "the views are documented" 0 jobctl sql --schema
for view in v_jobs v_tasks v_attempts v_results v_output v_data v_events v_workers v_demand; do
        matches "--schema has $view" "$out" "(^|"$'\n'")$view:"
done
finish
