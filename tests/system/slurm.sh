#!/usr/bin/env bash
# time-out: 240
# --compat slurm: a plain array script of Slurm runs as it is.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
mkdir "$T/here" && cd -- "$T/here" || exit 1
cat >array.sbatch <<'END'
#!/bin/bash
#SBATCH --job-name=params
#SBATCH --array=0-6:2%2
#SBATCH -t 0-00:05
#SBATCH --cpus-per-task 1
#SBATCH --output=out-%A_%a.txt --error=err-%A_%a.txt
#SBATCH --mail-type=END
##SBATCH --partition=nowhere
#SBATCH --comment="two words"

#SBATCH --nodes=1 --ntasks=1
echo "$SLURM_JOB_NAME $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN-$SLURM_ARRAY_TASK_MAX:$SLURM_ARRAY_TASK_STEP cpus=$SLURM_CPUS_PER_TASK arg=$1"
echo "$SLURM_ARRAY_JOB_ID $SLURM_JOB_ID $SLURM_JOBID" >&2
[ "$SLURM_SUBMIT_DIR" = "$PWD" ] && [ "$FROM_SHELL" = yes ] && echo ok >"done.$SLURM_ARRAY_TASK_ID"
#SBATCH --array=1-1000
END
export FROM_SHELL=yes SLURM_ARRAY_TASK_ID=foreign
exits "an array script of Slurm" 0 jobsubmit --compat slurm --wait --timeout 60 array.sbatch word
job=$out
matches "what has no counterpart is named" "$err" '#SBATCH --mail-type has no counterpart'
matches "output is where it is" "$err" '#SBATCH --output is ignored: .*jobctl logs'
lacks "what is understood is not" "$err" 'SBATCH --(array|nodes|ntasks|time|cpus)'
equal "its tasks see Slurm's variables" "$(jobctl logs "$job" | head -n 2)" $'params 0/4 0-6:2 cpus=1 arg=word\nparams 2/4 0-6:2 cpus=1 arg=word'
equal "with our ids" "$(jobctl logs "$job.0" --stderr)" "$job $job $job"
equal "in the folder and with the environment of the submission" "$(printf '%s ' done.*)" "done.0 done.2 done.4 done.6 "
equal "name and comment are known" "$(ask "SELECT name, comment FROM v_jobs WHERE job_id=$job")" "params,two words"
matches "so are limits" "$(jobctl show "$job" --json)" '"max_running":2.*"time_ms":300000'
exits "the command line beats the script" 0 jobsubmit --compat slurm --wait --timeout 60 -a 5 -n mine array.sbatch
equal "as it beats #JOB" "$(jobctl logs "$out" | cut -d' ' -f1,2)" "mine 5/1"
exits "without --compat they are comments" 0 jobsubmit --wait --timeout 60 --env-all -- sh -c 'echo "${SLURM_JOB_ID-none}"'
equal "and nothing is set" "$(jobctl logs "$out")" none

time_of() { printf '#!/bin/sh\n#SBATCH --time=%s\ntrue\n' "$1" >t.sh && jobsubmit --compat slurm --dry-run --json ./t.sh 2>&1 | grep -oE '"time_ms":[0-9]+' || echo none; }
equal "minutes" "$(time_of 90)" '"time_ms":5400000'
equal "minutes and seconds" "$(time_of 1:30)" '"time_ms":90000'
equal "hours" "$(time_of 2:00:00)" '"time_ms":7200000'
equal "days and hours" "$(time_of 1-12)" '"time_ms":129600000'
equal "days, hours, minutes, seconds" "$(time_of 1-00:01:02)" '"time_ms":86462000'
equal "no limit" "$(time_of UNLIMITED)" none

wrong() { # LINE CODE TEXT
        printf '#!/bin/sh\n#SBATCH %s\ntrue\n' "$1" >w.sh
        exits "wrong: $1" "$2" jobsubmit --compat slurm ./w.sh
        matches "names the line" "$err" "w.sh:2: #SBATCH: $3"
}
wrong --time=soon 64 "--time: 'soon' is no time of Slurm; examples: "
wrong --array=5-1 65 "--array: "
wrong --cpus-per-task=0 64 "--cpus-per-task: .*example: --cpus-per-task=4"
wrong --job-name 64 "--job-name needs a value"
wrong --nice=very 64 "--nice: 'very' is no number; example: --nice=50"
wrong --begin=soon 64 "--begin: "
wrong '"open' 64 "a quote"
# --- what becomes of each option
says() { # LINE…: what jobsubmit would send, and what it says
        { printf '#!/bin/sh\n' && printf '#SBATCH %s\n' "$@" && echo true; } >o.sh
        run jobsubmit --compat slurm --dry-run --json ./o.sh
}
becomes() { # SENTENCE WANTED LINE…
        says "${@:3}"
        matches "$1" "$out" "$2"
}
becomes "memory in MiB" '"mem":104857600[,}]' --mem=100
becomes "memory with a unit" '"mem":2147483648[,}]' '--mem 2G'
becomes "memory a cpu, whatever comes first" '"mem":4294967296[,}]' --mem-per-cpu=1G '-c 4'
becomes "unless it is said for all" '"mem":104857600[,}]' --mem-per-cpu=1G --mem=100M -c4
becomes "as people write it" '"mem":4294967296[,}]' --mem=4GB
becomes "for a cpu, too" '"mem":2147483648[,}]' --mem-per-cpu=1gb -c2
says --gres=gpu:0 --gpus=0 --gres=none --mem=0 --parsable --quiet '--export=NO_SUCH_NAME,HOME' --input=/dev/null
equal "what asks for nothing is no mistake" "$err" ""
lacks "and asks for nothing" "$out" '"(gpus|mem)"|NO_SUCH_NAME'
becomes "gpus of the one node" '"gpus":2[,}]' --gpus-per-node=2
becomes "a date and a time" '"at_us":[0-9]+' '--begin 12/24/40-18:30'
says --signal=USR1@30
matches "a warning before no end is said" "$err" '--signal is ignored: without --time'
lacks "and not sent" "$out" warn_
becomes "the folder as older versions spell it" '"cwd":"/usr"' --workdir=/usr
becomes "gpus of a kind" '"gpus":3[,}]' --gpus=a100:3
becomes "gpus as generic resources" '"gpus":2[,}]' --gres=gpu:v100:2
becomes "a start so long from now" '"at_delay_ms":7200000[,}]' --begin=now+2hours
becomes "in seconds" '"at_delay_ms":90000[,}]' --begin=now+90
becomes "or by the clock" '"at_us":[0-9]+' --begin=noon
becomes "or by the calendar" '"at_us":[0-9]+' '--begin 12/24/40'
becomes "dependencies" '"after":\[\{"when":"any","job":1\}\]' '-d afterany:1'
says --dependency=singleton,afterok:1
matches "singleton among them" "$out" '"singleton":true'
matches "beside the others" "$out" '"after":\[\{"when":"ok","job":1\}\]'
becomes "nice is a priority upside down" '"priority":-50[,}]' --nice=50
becomes "as low as it goes" '"priority":-100[,}]' --nice
becomes "or high" '"priority":20[,}]' --nice=-20
becomes "a warning" '"warn_signal":10,"warn_ms":90000' --time=5 --signal=B:USR1@90
becomes "a minute before if nothing is said" '"warn_ms":60000' -t5 '--signal USR2'
becomes "hold" '"hold":true' -H
becomes "at most so many at once" '"max_running":5' '-a 1-9%5'
says --mail-user=me@example.org --account=physics '-A physics' --qos=low --mem=1G '-q low' --constraint=fast
equal "what has no counterpart is named" "$(awk '{ printf "%s ", $3 }' <<<"$err")" "--mail-user --account -A --qos -q --constraint "
says --gres=gpu:1,lustre:2 --gres=lustre:1
equal "and that once" "$(grep -c 'gres is understood for gpu only' <<<"$err")" 1
printf '#!/bin/sh\n#SBATCH --wait\n#SBATCH --partition=gold\nexit 0\n' >p.sh
exits "a partition that is no queue, and a wait" 0 jobsubmit --compat slurm --exit-code --timeout 60 ./p.sh
matches "is said" "$err" '--partition: there is no queue gold here; the job goes to the queue default'
equal "and so it is" "$(ask "SELECT queue, status FROM v_jobs WHERE job_id=$out")" default,succeeded
equal "no such queue was made" "$(ask "SELECT COUNT(*) FROM v_queues WHERE queue='gold'")" 0
exits "once there is one" 0 jobsubmit --queue gold --wait --timeout 60 true
exits "it is the job's" 0 jobsubmit --compat slurm --timeout 60 ./p.sh
equal "without a word" "$err" ""
printf '#!/bin/sh\n#SBATCH -p silver,gold\nexit 0\n' >p2.sh
exits "the first that is there of several" 0 jobsubmit --compat slurm --wait --timeout 60 ./p2.sh
equal "is taken" "$(ask "SELECT queue FROM v_jobs WHERE job_id=$out")" gold
equal "in the rows too" "$(ask "SELECT queue FROM v_jobs WHERE job_id=$out")" gold

printf '#!/bin/sh\n#SBATCH --export=NONE\n#SBATCH -D /\necho "${FROM_SHELL-none} $PWD"\n' >e.sh
exits "--export=NONE and -D" 0 jobsubmit --compat slurm --wait --timeout 60 ./e.sh
equal "neither environment nor folder" "$(jobctl logs "$out")" "none /"
exits "another system" 64 jobsubmit --compat pbs ./e.sh
matches "is not known" "$err" "--compat: 'pbs' is not known; there is: slurm; example: --compat slurm"
finish
