#!/usr/bin/env bash
# time-out: 200
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
wrong '"open' 64 "a quote"
printf '#!/bin/sh\n#SBATCH --export=NONE\n#SBATCH -D /\necho "${FROM_SHELL-none} $PWD"\n' >e.sh
exits "--export=NONE and -D" 0 jobsubmit --compat slurm --wait --timeout 60 ./e.sh
equal "neither environment nor folder" "$(jobctl logs "$out")" "none /"
exits "another system" 64 jobsubmit --compat pbs ./e.sh
matches "is not known" "$err" "--compat: 'pbs' is not known; there is: slurm; example: --compat slurm"
finish
