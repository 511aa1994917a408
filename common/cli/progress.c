/* Progress of jobs on stderr. */
#include "cli/progress.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_COLUMNS 30
#define PLAIN_EVERY_US (1 * US_PER_S) /* a log file is not filled by it */

void progress_init(struct progress *progress, const struct cli *cli, uint64_t job, uint64_t jobs)
{
        *progress =
                (struct progress){ .cli = cli, .job = job, .jobs = jobs, .redraw = isatty(STDERR_FILENO) };
}

static void add_count(struct buf *line, uint64_t n, const char *what)
{
        if (n)
                buf_addf(line, ", %" PRIu64 " %s", n, what);
}

static void add_bar(struct buf *line, uint64_t ended, uint64_t tasks)
{
        uint64_t full = tasks ? ended * BAR_COLUMNS / tasks : 0;

        buf_add_char(line, '[');
        for (uint64_t i = 0; i < BAR_COLUMNS; i++)
                buf_add_char(line, i < full ? '=' : ' ');
        buf_add_str(line, "] ");
}

void progress_show(struct progress *progress, const struct rec_job_counts *counts, uint64_t over)
{
        bool last = over == progress->jobs;
        uint64_t ended = counts->succeeded + counts->failed + counts->cancelled + counts->aborted;
        int64_t now_us = clock_mono_us();
        CLEANUP_BUF struct buf line = { 0 };

        if (!progress->redraw && !last &&
            (now_us - progress->printed_us < PLAIN_EVERY_US || ended == progress->last_ended))
                return;
        progress->printed_us = now_us;
        progress->last_ended = ended;
        if (progress->redraw)
                buf_add_str(&line, "\r\033[K");
        if (progress->job)
                buf_addf(&line, "job %" PRIu64 ": ", progress->job);
        else
                buf_addf(&line, "%" PRIu64 " of %" PRIu64 " jobs over, tasks: ", over, progress->jobs);
        if (progress->redraw)
                add_bar(&line, ended, counts->tasks);
        buf_addf(&line, "%" PRIu64 " of %" PRIu64 " done", ended, counts->tasks);
        add_count(&line, counts->failed, "failed");
        add_count(&line, counts->cancelled, "cancelled");
        add_count(&line, counts->aborted, "aborted");
        add_count(&line, counts->running, "running");
        add_count(&line, counts->held, "held");
        add_count(&line, counts->waiting, "waiting");
        if (!progress->redraw || last)
                buf_add_char(&line, '\n');
        progress->drawn = progress->redraw && !last;
        fwrite(line.bytes, 1, line.n, stderr);
        fflush(stderr);
}

void progress_end(struct progress *progress)
{
        if (progress->drawn)
                fputc('\n', stderr);
        progress->drawn = false;
}
