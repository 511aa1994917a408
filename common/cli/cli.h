/* What the client commands share: common options, profile and connection, messages to people, output form. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "net/client.h"

enum cli_form { CLI_FORM_TEXT, CLI_FORM_JSON, CLI_FORM_CSV };

/* One run of one command. Zero-initialise, cli_init, at the end cli_done. */
struct cli {
        const char *program; /* "jobsubmit", "jobctl": in front of messages */
        const struct opts *opts;
        enum cli_form form;
        bool quiet, verbose;
        bool escape; /* stdout is a terminal: text of other people is escaped */
        struct profile *profile;
        struct client *client;
        struct buf *notes; /* said already, a line each; a copy of this struct has its own, or NULL */
};

extern const struct opt cli_common_options[]; /* --profile … --no-color; of every command */
extern const struct opt cli_query_options[]; /* those and --csv: of commands that print rows */

void cli_init(struct cli *cli, const char *program, const struct opts *opts);
void cli_done(struct cli *cli);
#define CLEANUP_CLI __attribute__((cleanup(cli_done)))

/* Load the profile (once) and connect (once); commands that need neither never call them. */
int cli_profile(struct cli *cli, struct err *err) MUST_CHECK;
int cli_connect(struct cli *cli, struct err *err) MUST_CHECK;
int cli_connect_timeout_ms(const struct cli *cli);

/* One request, one answer of kind `expect`; connects first. An answer of another kind is INTERNAL. */
struct msg *cli_call(struct cli *cli, struct msg *request, enum msg_kind expect, struct err *err) MUST_CHECK;

/* "jobctl: text" on stderr, control characters escaped; the exit code that goes with it. */
int cli_fail(const struct cli *cli, const struct err *err);
int cli_fail_early(const char *program, const struct err *err); /* before there is a struct cli */
/* "jobctl: text" on stderr; notes are not printed with -q and none of them twice, details only with -v. */
void cli_note(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
void cli_detail(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Text that a message can carry: valid UTF-8, least … most bytes. USAGE with `what`. */
int cli_check_text(const char *what, const char *text, size_t least, size_t most, struct err *err) MUST_CHECK;

/* User text for stdout: escaped on a terminal, as it is elsewhere. */
void cli_add_text(const struct cli *cli, struct buf *out, const char *text, size_t n);
/* Write everything and check it: a full disk or a closed pipe is not a success. 0 or the exit code. */
int cli_flush(const struct cli *cli, int exit_code);
/* The end of main: everything is printed, nothing is on its way. Leaves at once, since taking the connection's threads
 * down in order takes as long as a request; sanitizer builds take the long way and look for leaks. */
int cli_exit(int exit_code);
int cli_write(const void *bytes, size_t n, struct err *err) MUST_CHECK;

/* Ctrl-C and TERM while waiting: from here on they set a flag and interrupt whatever sleeps. */
void interrupt_catch(void);
void interrupt_catch_also(int signo); /* one more signal that ends what waits */
bool interrupted(void);
void interrupt_end(void); /* the end of main: nothing sleeps any more, and no signal is to disturb it */
#define EXIT_INTERRUPTED 130

#endif
