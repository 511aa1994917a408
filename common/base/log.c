/* Log lines. The only mutable file-scope state of the program besides signal flags: who speaks and how loud. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
        const char *program;
        enum log_level max;
} to = { "jobmill", LOG_LEVEL_INFO };

void log_init(const char *program, enum log_level max)
{
        to.program = program;
        to.max = max;
}

void log_line(enum log_level level, const char *fmt, ...)
{
        static const char *const words[] = { "error", "warn", "info", "debug" };
        char line[2048];
        struct timespec now;
        struct tm tm;
        va_list args;
        size_t n;

        if (level > to.max)
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &tm);
        n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
        n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s %s ", now.tv_nsec / 1000000, to.program,
                              words[level]);
        va_start(args, fmt);
        vsnprintf(line + n, sizeof(line) - n - 1, fmt, args);
        va_end(args);
        for (char *p = line; *p; p++) /* one event stays one line */
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = ' ';
        n = strlen(line);
        line[n++] = '\n';
        if (write(STDERR_FILENO, line, n) < 0)
                return; /* nowhere left to say it */
}
