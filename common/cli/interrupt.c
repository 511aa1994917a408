/* Ctrl-C and TERM while waiting.
 *
 * The handler keeps no flag: it starts a repeating timer, and interrupted() asks the kernel whether that timer runs. So
 * there is no changeable global, and a signal that comes just before the process goes to sleep is not lost: the timer
 * interrupts that sleep a moment later. */
#include <signal.h>
#include <sys/time.h>

#include "cli/cli.h"

#define AGAIN_US 100000

static void on_signal(int signo)
{
        const struct itimerval again = { { 0, AGAIN_US }, { 0, AGAIN_US } };

        if (signo != SIGALRM)
                setitimer(ITIMER_REAL, &again, NULL);
}

void interrupt_catch(void)
{
        struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: sleeps end */

        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGALRM, &action, NULL);
}

void interrupt_catch_also(int signo)
{
        struct sigaction action = { .sa_handler = on_signal };

        sigemptyset(&action.sa_mask);
        sigaction(signo, &action, NULL);
}

void interrupt_end(void)
{
        const struct itimerval none = { 0 };

        setitimer(ITIMER_REAL, &none, NULL);
}

bool interrupted(void)
{
        struct itimerval timer = { 0 };

        getitimer(ITIMER_REAL, &timer);
        return timer.it_interval.tv_usec || timer.it_interval.tv_sec;
}
