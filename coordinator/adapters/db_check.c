/* Settings under which an acknowledgement would not be a promise. Each is refused with its name and its remedy. */
#include <stdlib.h>
#include <string.h>

#include "adapters/db_setup.h"

#define PACKET_LEAST                                                                                         \
        (16ull << 20) /* a transaction's values travel in packets of a few MiB, a chunk has 1 MiB */
#define VERSION_LEAST 1011

struct setting {
        const char *name;
        enum { IS, IS_WITH_BINLOG, CONTAINS_STRICT, AT_LEAST, VERSION } rule;
        const char *wanted;
        bool durability; /* --dev may relax it */
        const char *fix;
};
static const struct setting SETTINGS[] = {
        { "innodb_flush_log_at_trx_commit", IS, "1", true, "set innodb_flush_log_at_trx_commit = 1" },
        { "sync_binlog", IS_WITH_BINLOG, "1", true,
          "set sync_binlog = 1 (the binary log is on), or turn log_bin off" },
        { "innodb_doublewrite", IS, "ON", true, "set innodb_doublewrite = ON and restart the server" },
        { "innodb_force_recovery", IS, "0", false, "restore the server, then remove innodb_force_recovery" },
        { "wsrep_on", IS, "OFF", false,
          "use a server without Galera: it can lose commits that it has confirmed" },
        { "sql_mode", CONTAINS_STRICT, "STRICT_TRANS_TABLES", false, "add STRICT_TRANS_TABLES to sql_mode" },
        { "max_allowed_packet", AT_LEAST, "16777216", false, "set max_allowed_packet = 64M" },
        { "version", VERSION, "10.11", false, "use MariaDB 10.11 or newer" },
};

struct found { /* the server's values, in the order of SETTINGS; empty: it does not know that name */
        char values[ARRAY_LEN(SETTINGS)][256];
        bool log_bin;
};

static void note(struct found *found, const char *name, const char *value)
{
        if (strcmp(name, "log_bin") == 0)
                found->log_bin = strcmp(value, "ON") == 0;
        for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++)
                if (strcmp(SETTINGS[i].name, name) == 0) {
                        size_t n = MIN(strlen(value), sizeof(found->values[i]) - 1);

                        memcpy(found->values[i], value, n);
                        found->values[i][n] = '\0';
                }
}

static bool version_is_enough(const char *version)
{
        char *dot;
        long major = strtol(version, &dot, 10), minor = *dot == '.' ? strtol(dot + 1, NULL, 10) : 0;

        return strstr(version, "MariaDB") && major * 100 + minor >= VERSION_LEAST;
}

static bool is_fine(const struct setting *setting, const char *value, bool log_bin)
{
        switch (setting->rule) {
        case IS:
                return !*value || strcmp(value, setting->wanted) == 0;
        case IS_WITH_BINLOG:
                return !log_bin || strcmp(value, setting->wanted) == 0;
        case CONTAINS_STRICT:
                return strstr(value, "STRICT_TRANS_TABLES") || strstr(value, "STRICT_ALL_TABLES");
        case AT_LEAST:
                return strtoull(value, NULL, 10) >= PACKET_LEAST;
        case VERSION:
                return version_is_enough(value);
        }
        return false;
}

static int read_variables(struct db *db, struct found *found, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(db, "setup_variables", NULL, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                char name[64];
                const char *text = db_text(&rows, 0);
                size_t n = MIN(strlen(text), sizeof(name) - 1);

                memcpy(name, text, n);
                name[n] = '\0';
                note(found, name, db_text(&rows, 1));
        }
        return more;
}

/* What the account may not read we cannot vouch for. */
static int must_read(struct db *db, struct err *err, const char *table)
{
        if (db_fate(db) != DB_FATE_BROKEN)
                return -1;
        return err_set(err, ERR_CONFIG,
                       "cannot read %s (%.200s): grant the coordinator's account SELECT on it", table,
                       db_error_text(db));
}

static int check_server(struct db *db, struct err *err)
{
        uint64_t n = 0;

        if (db_number(db, "setup_has_sequence", NULL, &n, err) < 0)
                return -1;
        if (!n)
                return err_set(err, ERR_CONFIG,
                               "the SEQUENCE engine is missing: INSTALL SONAME 'ha_sequence'");
        if (db_number(db, "setup_anonymous", NULL, &n, err) < 0)
                return must_read(db, err, "mysql.global_priv");
        if (n)
                return err_set(
                        err, ERR_CONFIG,
                        "the server has anonymous accounts: run DROP USER ''@'%%' (and ''@'localhost')");
        return 0;
}

int db_check_settings(struct db *db, bool dev, struct buf *warnings, struct err *err)
{
        struct found found = { 0 };

        if (read_variables(db, &found, err) < 0)
                return -1;
        for (size_t i = 0; i < ARRAY_LEN(SETTINGS); i++) {
                const struct setting *setting = &SETTINGS[i];

                if (is_fine(setting, found.values[i], found.log_bin))
                        continue;
                if (!dev || !setting->durability)
                        return err_set(err, ERR_CONFIG, "unsafe database setting %s = %.100s: %s",
                                       setting->name, found.values[i], setting->fix);
                buf_addf(warnings, "%s%s = %s", warnings->n ? ", " : "", setting->name, found.values[i]);
        }
        return check_server(db, err);
}

int db_check_tables(struct db *db, struct err *err)
{
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        if (db_read(db, "setup_foreign_engine", NULL, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more > 0)
                return err_set(err, ERR_CONFIG,
                               "table %.64s is held by %.64s: run ALTER TABLE %.64s ENGINE=InnoDB",
                               db_text(&rows, 0), db_text(&rows, 1), db_text(&rows, 0));
        return more;
}
