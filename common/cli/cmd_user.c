/* jobctl user, jobctl key: people, workers and their keys. Secrets are made here and stay here: the coordinator hears
 * the public key and a password's hash, nothing else. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/name.h"
#include "base/xalloc.h"
#include "cli/command.h"
#include "crypt/sql_login.h"

#define ROLES_MAX 32

/* --- files that a new identity leaves ------------------------------------------------------------------------- */
struct identity {
        char *profile_path, *login_path; /* login_path NULL: no SQL account */
        bool made_profile, made_login;
        char public_key[41];
        char sql_hash[SQL_HASH_BYTES + 1];
};

static void identity_done(struct identity *identity)
{
        xfree(identity->profile_path);
        xfree(identity->login_path);
}

/* The coordinator does not know this key, so its files are of no use. */
static void identity_take_back(struct identity *identity)
{
        if (identity->made_profile)
                unlink(identity->profile_path);
        if (identity->made_login)
                unlink(identity->login_path);
}

static char *absolute(const char *path)
{
        char here[PATH_MAX];

        if (path[0] == '/' || !getcwd(here, sizeof(here)))
                return xstrdup(path);
        return xasprintf("%s/%s", strcmp(here, "/") == 0 ? "" : here, path);
}

/* The new account's server is where our own is. */
static int make_login(struct cli *cli, struct identity *identity, const char *name, struct err *err)
{
        CLEANUP_WITH(xfree) char *where = NULL;

        if (!cli->profile->sql_option_file)
                return err_set(err, ERR_CONFIG,
                               "--sql: your own profile names no sql-option-file, so it is not known where "
                               "the database "
                               "is; use the first administrator's profile");
        identity->login_path = xasprintf("%s.cnf", identity->profile_path);
        if (sql_server_read(cli->profile->sql_option_file, "client", &where, err) < 0 ||
            sql_login_create(identity->login_path, name, where, identity->sql_hash, err) < 0)
                return -1;
        identity->made_login = true;
        return 0;
}

static int make_profile(struct cli *cli, struct identity *identity, struct err *err)
{
        const struct profile *own = cli->profile;
        struct profile made = { .n_endpoints = own->n_endpoints, .sql_option_file = identity->login_path };

        memcpy(made.endpoints, own->endpoints, sizeof(made.endpoints));
        memcpy(made.server_key, own->server_key, sizeof(made.server_key));
        if (profile_new_keys(made.public_key, made.secret_key, err) < 0)
                return -1;
        memcpy(identity->public_key, made.public_key, sizeof(identity->public_key));
        if (profile_save(&made, identity->profile_path, err) < 0)
                return -1;
        identity->made_profile = true;
        return 0;
}

static int make_identity(struct cli *cli, struct identity *identity, const char *path, const char *name,
                         bool sql, struct err *err)
{
        if (cli_profile(cli, err) < 0)
                return -1;
        identity->profile_path = absolute(path);
        if (access(path, F_OK) == 0)
                return err_set(err, ERR_CONFIG, "%s exists already and is not written over", path);
        if (sql && make_login(cli, identity, name, err) < 0)
                return -1;
        return make_profile(cli, identity, err);
}

/* Send it; after a refusal nothing is left behind, after an unknown outcome everything. */
static int register_identity(struct cli *cli, struct identity *identity, struct msg *request,
                             const char *done)
{
        struct err err = { 0 };
        CLEANUP_WITH(msg_free) struct msg *answer = cli_call(cli, request, MSG_changed, &err);

        if (!answer) {
                if (!cli->client || (err.code != ERR_UNREACHABLE && err.code != ERR_RETRY_LATER))
                        identity_take_back(identity);
                return cli_fail(cli, &err);
        }
        if (cli->form == CLI_FORM_JSON) {
                CLEANUP_BUF struct buf out = { 0 };

                buf_add_str(&out, "{\"schema\":\"jobctl.identity/1\",\"profile\":");
                buf_add_json_str(&out, identity->profile_path, strlen(identity->profile_path));
                buf_addf(&out, ",\"public_key\":");
                buf_add_json_str(&out, identity->public_key, 40);
                buf_add_str(&out, "}\n");
                fwrite(out.bytes, 1, out.n, stdout);
        } else if (!cli->quiet) {
                printf("%s; profile: %s\n", done, identity->profile_path);
        }
        return cli_flush(cli, 0);
}

static int check_name(const char *what, const char *name, struct err *err)
{
        if (!name_is_valid(name, strlen(name)) || strlen(name) > 64)
                return err_set(err, ERR_USAGE, "%s: '%.80s' is no name; names are letters, digits, . _ -",
                               what, name);
        return 0;
}

/* --- user ------------------------------------------------------------------------------------------------------ */
/* --role may be given more than once and may hold commas. */
static int roles_of(const struct cli *cli, struct buf *text, const char *roles[ROLES_MAX], size_t *ret_n,
                    struct err *err)
{
        const struct opt_value *value;
        size_t at = 0, n = 0;

        while ((value = opts_next(cli->opts, "role", &at)))
                buf_addf(text, "%s,", value->text);
        for (char *p = text->n ? text->bytes : NULL; p && *p;) {
                char *end = p + strcspn(p, ",");

                *end = '\0';
                if (*p && n == ROLES_MAX)
                        return err_set(err, ERR_USAGE, "more than %d roles", ROLES_MAX);
                if (*p)
                        roles[n++] = p;
                p = end + 1;
        }
        *ret_n = n;
        return 0;
}

static int add_user(struct cli *cli, struct identity *identity)
{
        struct msg request = { .kind = MSG_user_add };
        CLEANUP_BUF struct buf text = { 0 };
        const char *roles[ROLES_MAX];
        const char *out = opts_text(cli->opts, "profile-out");
        struct msg_user_add *add = &request.u.user_add;
        struct err err = { 0 };
        int rc = command_words(cli, 1, 1, &err);

        if (rc == 0)
                rc = roles_of(cli, &text, roles, &add->n_roles, &err);
        if (rc == 0 && (!out || !add->n_roles))
                rc = err_set(&err, ERR_USAGE,
                             "%s is missing; example: jobctl user add ann --role submitter --profile-out "
                             "ann.profile",
                             out ? "--role" : "--profile-out");
        if (rc == 0)
                rc = check_name("user", cli->opts->words[0], &err);
        for (size_t i = 0; rc == 0 && i < add->n_roles; i++)
                rc = check_name("--role", roles[i], &err);
        if (rc == 0)
                rc = make_identity(cli, identity, out, cli->opts->words[0], opts_flag(cli->opts, "sql"),
                                   &err);
        if (rc < 0) {
                identity_take_back(identity);
                return cli_fail(cli, &err);
        }
        add->name = cli->opts->words[0];
        add->n_name = strlen(add->name);
        add->roles = roles;
        add->public_key = identity->public_key;
        add->n_public_key = 40;
        add->sql_hash = identity->made_login ? identity->sql_hash : NULL;
        add->n_sql_hash = identity->made_login ? SQL_HASH_BYTES : 0;
        return register_identity(cli, identity, &request, "user added");
}

static int run_user_add(struct cli *cli)
{
        struct identity identity = { 0 };
        int code = add_user(cli, &identity);

        identity_done(&identity);
        return code;
}

static int run_user_rm(struct cli *cli)
{
        struct msg request = { .kind = MSG_user_rm };
        struct err err = { 0 };

        if (command_words(cli, 1, 1, &err) < 0 || check_name("user", cli->opts->words[0], &err) < 0)
                return cli_fail(cli, &err);
        request.u.user_rm.name = cli->opts->words[0];
        request.u.user_rm.n_name = strlen(cli->opts->words[0]);
        return command_change(cli, &request, "user removed; the keys are revoked");
}

/* --role +R adds, -R takes away; a bare R adds. */
static int run_user_set(struct cli *cli)
{
        struct msg request = { .kind = MSG_user_set };
        CLEANUP_BUF struct buf text = { 0 };
        const char *roles[ROLES_MAX], *add[ROLES_MAX], *rm[ROLES_MAX];
        struct msg_user_set *set = &request.u.user_set;
        struct err err = { 0 };
        size_t n = 0;
        int rc = command_words(cli, 1, 1, &err);

        if (rc == 0)
                rc = roles_of(cli, &text, roles, &n, &err);
        if (rc == 0 && n == 0 && !opts_has(cli->opts, "weight"))
                rc = err_set(&err, ERR_USAGE,
                             "set what? example: jobctl user set ann --role +operator --weight 3");
        if (rc == 0)
                rc = check_name("user", cli->opts->words[0], &err);
        for (size_t i = 0; rc == 0 && i < n; i++) {
                const char *name = roles[i] + (roles[i][0] == '+' || roles[i][0] == '-');

                rc = check_name("--role", name, &err);
                if (roles[i][0] == '-')
                        rm[set->n_rm_roles++] = name;
                else
                        add[set->n_add_roles++] = name;
        }
        if (rc < 0)
                return cli_fail(cli, &err);
        set->name = cli->opts->words[0];
        set->n_name = strlen(set->name);
        set->add_roles = add;
        set->rm_roles = rm;
        set->has_weight = opts_has(cli->opts, "weight");
        set->weight = (uint64_t)opts_number(cli->opts, "weight", 1);
        return command_change(cli, &request, "user changed");
}

static int print_kind(struct cli *cli, enum list_kind what, const char *schema)
{
        const struct print print = { .schema = schema };
        CLEANUP_LISTING struct listing listing = listing_of(cli, what);
        struct err err = { 0 };

        if (command_words(cli, 0, 0, &err) < 0)
                return cli_fail(cli, &err);
        return command_print(cli, &print, &listing, 1);
}

static int run_user_ls(struct cli *cli)
{
        return print_kind(cli, LIST_KIND_USERS, "jobctl.user/1");
}

/* --- key ------------------------------------------------------------------------------------------------------- */
static int run_key_ls(struct cli *cli)
{
        return print_kind(cli, LIST_KIND_KEYS, "jobctl.key/1");
}

static int add_key(struct cli *cli, struct identity *identity)
{
        const char *user = opts_text(cli->opts, "user"), *worker = opts_text(cli->opts, "worker");
        const char *out = opts_text(cli->opts, "out"), *name = user ? user : worker;
        struct msg request = { .kind = MSG_key_add };
        struct msg_key_add *add = &request.u.key_add;
        struct err err = { 0 };
        int rc = command_words(cli, 0, 0, &err);

        if (rc == 0 && (!out || !user == !worker))
                rc = err_set(&err, ERR_USAGE,
                             "give --user NAME or --worker NAME, and --out FILE; example: jobctl key add "
                             "--worker w1 --out w1.profile");
        if (rc == 0)
                rc = check_name(user ? "--user" : "--worker", name, &err);
        if (rc == 0)
                rc = make_identity(cli, identity, out, name, false, &err);
        if (rc < 0) {
                identity_take_back(identity);
                return cli_fail(cli, &err);
        }
        add->name = name;
        add->n_name = strlen(name);
        add->worker = add->has_worker = worker != NULL;
        add->public_key = identity->public_key;
        add->n_public_key = 40;
        if (opts_has(cli->opts, "expires")) {
                add->expires_us =
                        (uint64_t)(clock_wall_us() + opts_number(cli->opts, "expires", 0) * US_PER_MS);
                add->has_expires_us = true;
        }
        return register_identity(cli, identity, &request, "key added");
}

static int run_key_add(struct cli *cli)
{
        struct identity identity = { 0 };
        int code = add_key(cli, &identity);

        identity_done(&identity);
        return code;
}

static int run_key_revoke(struct cli *cli)
{
        static const struct opt key_id = { .min = 1, .max = (int64_t)ID_MAX };
        struct msg request = { .kind = MSG_key_revoke };
        struct err err = { 0 };
        int64_t key;

        if (command_words(cli, 1, 1, &err) < 0)
                return cli_fail(cli, &err);
        if (opt_count(&key_id, cli->opts->words[0], &key, &err) < 0) {
                (void)err_wrap(&err, "key id (jobctl key ls shows them)");
                return cli_fail(cli, &err);
        }
        request.u.key_revoke.key = (uint64_t)key;
        request.u.key_revoke.has_key = true;
        return command_change(cli, &request, "key revoked");
}

/* --- tables ---------------------------------------------------------------------------------------------------- */
static const struct opt no_options[] = { { 0 } };
static const struct opt user_add_options[] = {
        { .name = "role",
          .parse = opt_word,
          .arg = "ROLE",
          .group = "Person",
          .many = true,
          .example = "submitter",
          .help = "submitter, operator, reader, auditor, admin, or one of your own; may be given more than "
                  "once" },
        { .name = "profile-out",
          .parse = opt_word,
          .arg = "FILE",
          .help = "where the new profile goes (mode 0600)" },
        { .name = "sql", .help = "also make a MariaDB account of that name; its option file is FILE.cnf" },
        { 0 },
};
static const struct opt user_set_options[] = {
        { .name = "role",
          .parse = opt_word,
          .arg = "±ROLE",
          .group = "Person",
          .many = true,
          .example = "+operator",
          .help = "+ROLE adds a role, -ROLE takes it away" },
        { .name = "weight",
          .parse = opt_count,
          .arg = "N",
          .min = 1,
          .max = 1000000,
          .example = "3",
          .help = "share beside other people where slots are short (1 at first); holds for what is queued "
                  "too" },
        { 0 },
};
static const struct opt key_add_options[] = {
        { .name = "user",
          .parse = opt_word,
          .arg = "NAME",
          .group = "Key",
          .help = "another key for this person" },
        { .name = "worker",
          .parse = opt_word,
          .arg = "NAME",
          .help = "a key for this worker, which is made if it is new" },
        { .name = "out",
          .parse = opt_word,
          .arg = "FILE",
          .help = "where the profile with the key goes (mode 0600)" },
        { .name = "expires",
          .parse = opt_duration,
          .arg = "T",
          .min = 1000,
          .max = 315360000000,
          .example = "30d",
          .help = "the key is valid for so long (default: for ever)" },
        { 0 },
};

PROGRAM(user_ls, "user ls", "list people", no_options, cli_query_options, "[options]", "jobctl user ls",
        "jobctl user ls --json", "jobctl user ls --csv");
PROGRAM(user_add, "user add", "add a person: key, profile, SQL account", user_add_options, cli_common_options,
        "NAME --role ROLE --profile-out FILE [--sql]",
        "jobctl user add ann --role submitter --profile-out ann.profile",
        "jobctl user add ann --role submitter --profile-out ann.profile --sql",
        "jobctl user add bob --role operator --role auditor --profile-out bob.profile");
PROGRAM(user_rm, "user rm", "remove a person; keys and SQL account go too", no_options, cli_common_options,
        "NAME", "jobctl user rm ann", "jobctl user rm ann -q", "jobctl user rm ann --json");
PROGRAM(user_set, "user set", "change a person's roles or share", user_set_options, cli_common_options,
        "NAME [--role +ROLE|-ROLE] [--weight N]", "jobctl user set ann --role +operator",
        "jobctl user set ann --role=-operator", "jobctl user set ann --weight 3");
PROGRAM(key_ls, "key ls", "list keys", no_options, cli_query_options, "[options]", "jobctl key ls",
        "jobctl key ls --json", "jobctl key ls --csv");
PROGRAM(key_add, "key add", "make a key for a person or a worker", key_add_options, cli_common_options,
        "--user NAME|--worker NAME --out FILE [options]", "jobctl key add --worker w1 --out w1.profile",
        "jobctl key add --user ann --out ann2.profile",
        "jobctl key add --worker spot --out spot.profile --expires 30d");
PROGRAM(key_revoke, "key revoke", "revoke a key, from its next message on", no_options, cli_common_options,
        "KEYID", "jobctl key revoke 7", "jobctl key ls   # shows the ids", "jobctl key revoke 7 --json");
