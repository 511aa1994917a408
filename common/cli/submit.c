/* One job from a command line. Order matters only where it costs: what is wrong with the options is said before files
 * are read, and files are read before the coordinator is asked anything. */
#include "cli/submit.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/xalloc.h"

#define SPEC_BYTES_MAX (MSG_HEADER_MAX - 65536) /* room for the message around it */

int submit_key(char **key, struct err *err)
{
        unsigned char random[16];
        CLEANUP_BUF struct buf text = { 0 };

        if (*key)
                return 0;
        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return err_set(err, ERR_INTERNAL, "no random numbers");
        for (size_t i = 0; i < sizeof(random); i++)
                buf_addf(&text, "%02x", random[i]);
        *key = buf_steal(&text);
        return 0;
}

static int check_size(const struct submit *submit, struct err *err)
{
        CLEANUP_BUF struct buf json = { 0 };

        if (submit->spec.n_args > 65536)
                return err_set(err, ERR_BAD_DATA, "%zu arguments, at most 65536 are allowed",
                               submit->spec.n_args);
        job_spec_encode(&submit->spec, &json);
        if (json.n > SPEC_BYTES_MAX)
                return err_set(
                        err, ERR_BAD_DATA,
                        "arguments and environment together have %zu bytes, at most %zu are allowed; put "
                        "long ones into a file (--in, --each-line)",
                        json.n, SPEC_BYTES_MAX);
        return 0;
}

/* Standard input can be read once. */
static int check_stdin(const struct submit *submit, struct err *err)
{
        static const char *const readers[] = { "file", "each-line", "each-csv", "each-json", "stdin" };
        const char *first = NULL;

        for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
                const char *path = opts_text(submit->opts, readers[i]);

                if (!path || strcmp(path, "-") != 0)
                        continue;
                if (first)
                        return err_set(err, ERR_USAGE,
                                       "--%s - and --%s - both read stdin; give one of them a file", first,
                                       readers[i]);
                first = readers[i];
        }
        return 0;
}

int submit_build(struct submit *submit, struct err *err)
{
        if (check_stdin(submit, err) < 0)
                return -1;
        if (opts_has(submit->opts, "wf-scale") && !opts_has(submit->opts, "file"))
                return err_set(err, ERR_USAGE,
                               "--wf-scale goes with a workflow; example: jobsubmit -f workflow.json "
                               "--wf-scale 0.01");
        if (opts_has(submit->opts, "file"))
                return submit_graph(submit, err) < 0 || submit_inputs(submit, err) < 0 ||
                                       submit_key(&submit->key, err) < 0
                               ? -1
                               : check_size(submit, err);
        /* The script is the first input, so words come before --in. */
        if (submit_options(submit, err) < 0 || submit_environment(submit, err) < 0 ||
            submit_words(submit, err) < 0 || submit_inputs(submit, err) < 0 ||
            submit_key(&submit->key, err) < 0)
                return -1;
        return check_size(submit, err);
}

static void texts_done(struct texts *texts)
{
        xfree(texts->list);
}

void submit_done(struct submit *submit)
{
        char **owned = (char **)(void *)submit->owned.bytes;

        for (size_t i = 0; i < submit->owned.n / sizeof(char *); i++)
                xfree(owned[i]);
        buf_done(&submit->owned);
        for (size_t i = 0; i < submit->n_inputs; i++) {
                xfree(submit->inputs[i].path);
                xfree(submit->inputs[i].name);
        }
        texts_done(&submit->args);
        texts_done(&submit->env);
        texts_done(&submit->tags);
        texts_done(&submit->retry_on);
        texts_done(&submit->res);
        texts_done(&submit->require);
        texts_done(&submit->avoid);
        texts_done(&submit->outs);
        texts_done(&submit->secrets);
        if (submit->stdin_fd)
                close(submit->stdin_fd);
        entry_list_done(&submit->entries);
        submit_shapes_done(submit);
        xfree(submit->inputs);
        xfree(submit->input_recs);
        xfree(submit->array);
        xfree(submit->after);
        xfree(submit->ok_codes);
        xfree(submit->name);
        xfree(submit->cwd);
        xfree(submit->key);
}
