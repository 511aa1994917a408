#!/usr/bin/env bash
# make demo: a real array job on a private cluster, from jobsubmit to SQL. The input is what every Debian machine has:
# licence texts, copyright files, man pages. Everything lies in a folder of its own under /tmp and goes at the end.
# KEEP=1 leaves the cluster running and says how to use and how to remove it.
set -eu -o pipefail

root=$(readlink -f -- "${BASH_SOURCE[0]%/*}/..")
where=$(mktemp -d /tmp/jobmill-demo.XXXXXX)
cluster=$where/run
at_end() {
        local code=$?
        trap - EXIT
        if [ "${KEEP:-}" != 1 ] || [ $code -ne 0 ]; then
                "$root/deploy/local" --dir "$cluster" destroy || true
                rm -rf -- "$where"
        fi
        exit $code
}
trap at_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
title() { printf "\n--- %s\n" "$*"; }
show() { # prints a command, then runs it
        printf '$ %s\n' "$*"
        "$@"
}
ask() { # QUESTION SELECT
        printf '\n%s\n\n%s\n\n' "$1" "$2"
        jobctl sql "$2" | align
}
align() { # tab-separated columns under each other
        awk -F '\t' '
                { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
                END { for (r = 1; r <= NR; r++) for (i = 1; i <= NF; i++) printf(i < NF ? "    %-" width[i] "s" : "    %s%s", cell[r, i], "\n") }'
}

title "A private cluster: MariaDB, coordinator, two workers"
exports=$("$root/deploy/local" --dir "$cluster" up --workers 2)
eval "$exports"
cd -- "$where"

# At most 400 texts, the same on every run; copies of one text (files of one size) count once.
{
        find /usr/share/common-licenses -maxdepth 1 -type f -printf '%s\t%p\n'
        find /usr/share/doc -mindepth 2 -maxdepth 2 -type f -name copyright -printf '%s\t%p\n' 2>/dev/null || true
        find /usr/share/man/man1 /usr/share/man/man5 -maxdepth 1 -type f -name '*.gz' -printf '%s\t%p\n' 2>/dev/null || true
} | LC_ALL=C sort -t "$(printf '\t')" -k 1,1n -k 2 | awk -F '\t' '$1 > 0 && !seen[$1]++ { print $2 }' | LC_ALL=C sort | awk '
        { text[NR] = $0 }
        END { step = NR > 400 ? NR / 400 : 1; for (i = 1; i <= NR; i += step) print text[int(i)] }' >texts

cat >words.sh <<'SCRIPT'
#!/bin/sh
#JOB --name words --time 1m
# One text: counts its words, says so on stdout, and leaves the figures as the task's result.
case $1 in *.gz) gzip -dc "$1" ;; *) cat "$1" ;; esac | awk -F '[^A-Za-z]+' -v text="$1" '
        { for (i = 1; i <= NF; i++) if ($i != "") {
                word = tolower($i); words++
                if (!seen[word]++) distinct++
                if (length(word) > 6 && seen[word] > seen[top]) top = word
        } }
        END {
                printf "{\"lines\":%d,\"words\":%d,\"distinct\":%d,\"favourite\":\"%s\"}\n", NR, words, distinct, top > ENVIRON["JOB_RESULT"]
                printf "%s: %d words\n", text, words
        }'
SCRIPT

title "The job: one task for each of $(wc -l <texts) texts on this machine; the program is a shell script"
sed -n '4,$p' words.sh | sed 's/^/    /'
echo
echo '$ jobsubmit --wait --progress --each-line texts words.sh {}'
job=$(jobsubmit --wait --progress --each-line texts words.sh {})
echo "job $job"
show jobctl show last
show jobctl logs "$job.1"

title "Its results, asked in SQL (jobctl sql 'SELECT …')"
ask "Which texts use the most different words?" \
        "SELECT entry, JSON_VALUE(result, '\$.distinct') + 0 AS different, JSON_VALUE(result, '\$.words') + 0 AS words
  FROM v_results WHERE job_id = $job ORDER BY different DESC, entry LIMIT 6"
ask "Which long word is the favourite of how many texts?" \
        "SELECT JSON_VALUE(result, '\$.favourite') AS favourite, COUNT(*) AS texts, SUM(JSON_VALUE(result, '\$.words')) AS words
  FROM v_results WHERE job_id = $job GROUP BY favourite ORDER BY texts DESC, favourite LIMIT 6"
ask "How much did each worker do, and how fast?" \
        "SELECT t.worker, COUNT(*) AS tasks, SUM(JSON_VALUE(r.result, '\$.words')) AS words, ROUND(SUM(t.cpu_seconds), 2) AS cpu_seconds,
       ROUND(AVG(TIMESTAMPDIFF(MICROSECOND, t.started_at, t.ended_at)) / 1000, 1) AS mean_ms
  FROM v_tasks t JOIN v_results r ON r.job_id = t.job_id AND r.task_index = t.task_index
 WHERE t.job_id = $job GROUP BY t.worker ORDER BY t.worker"

local_=$root/deploy/local
[ "$OLDPWD" != "$root" ] || local_=deploy/local
case $local_ in *[!A-Za-z0-9_./-]*) local_="'$local_'" ;; esac
title "What to type next"
if [ "${KEEP:-}" = 1 ]; then
        cat <<END
The cluster runs on in $cluster:
  eval "\$($local_ --dir $cluster up)"
  jobsubmit echo hello
  jobctl logs last
  $local_ --dir $cluster destroy
END
else
        cat <<END
This demonstration removes its cluster now. One that stays, and a first job on it:
  eval "\$($local_ up --workers 2)"
  jobsubmit echo hello
  jobctl logs last
  jobsubmit --wait --progress -a 1-100%8 -- sh -c 'sleep 0.1; echo \$JOB_INDEX'
  jobsubmit --help
  $local_ down
END
fi
