/* Secrets of people in the table Secrets, sealed under the installation's key (that of job 0) for owner and name. */
#include "adapters/secrets.h"

#include <string.h>

#include "adapters/store_writer.h"
#include "base/xalloc.h"

struct seal_place secret_place(const struct keyring *keyring, struct principal_id owner, const char *name)
{
        struct seal_place place = { .kind = SEAL_SECRET, .owner = owner.n };
        uint8_t hash[NAME_HASH_BYTES];

        keyring_name_hash(keyring, "secret", name, strlen(name), hash);
        for (size_t i = 0; i < 8; i++)
                place.seq = place.seq << 8 | hash[i];
        return place;
}

static int remove_secret(struct store_writer *writer, struct db *db, const struct store_secret *secret,
                         struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };

        db_args_init(&args, "owner:u name:s");
        db_put_u64(&args, secret->owner.n);
        db_put_str(&args, secret->name);
        return store_write_now(writer, db, "secret_rm", &args, 0, err);
}

int store_secret(struct store_writer *writer, struct db *db, const struct store_secret *secret,
                 struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        struct seal_place place = secret_place(writer->keyring, secret->owner, secret->name);
        struct data_key key;
        size_t begun;

        if (secret->removed)
                return remove_secret(writer, db, secret, err);
        if (store_keys_get(writer->keys, db, 0, &key, err) < 0)
                return -1;
        db_args_init(&args, "owner:u name:s bytes:u changed_us:i payload:b");
        db_put_u64(&args, secret->owner.n);
        db_put_str(&args, secret->name);
        db_put_u64(&args, secret->value->n);
        db_put_i64(&args, secret->at_us);
        begun = db_put_begin(&args);
        if (seal(writer->sealer, &key, &place, secret->value->bytes, secret->value->n, &args.bytes, err) < 0)
                return -1;
        db_put_end(&args, begun);
        return store_write_now(writer, db, "secret", &args, 0, err);
}

int store_find_secret(struct db *db, struct store_find_secret *find, struct err *err)
{
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        int more;

        db_args_init(&args, "owner:u name:s");
        db_put_u64(&args, find->owner.n);
        db_put_str(&args, find->name);
        if (db_read(db, "find_secret", &args, &rows, err) < 0)
                return -1;
        while ((more = db_next(&rows, err)) > 0) {
                find->found = db_u64(&rows, 0) > 0;
                find->count = db_u64(&rows, 1);
        }
        return more;
}

int reader_secret(struct reader_hand *hand, const struct read_request *read, struct err *err)
{
        const struct msg_fetch *fetch = &read->msg->u.fetch;
        struct seal_place place = secret_place(hand->keyring, read->secret_owner, read->secret);
        struct msg answer = { .kind = MSG_input_chunk };
        CLEANUP_DB_ARGS struct db_args args = { 0 };
        CLEANUP_DB_ROWS struct db_rows rows = { 0 };
        CLEANUP_BUF struct buf plain = { 0 };
        struct data_key key;
        const char *envelope;
        size_t n;
        int more;

        if (store_keys_get(hand->keys, hand->db, 0, &key, err) < 0)
                return -1;
        db_args_init(&args, "owner:u name:s");
        db_put_u64(&args, read->secret_owner.n);
        db_put_str(&args, read->secret);
        if (db_read(hand->db, "read_secret", &args, &rows, err) < 0)
                return -1;
        more = db_next(&rows, err);
        if (more < 0)
                return -1;
        if (more == 0)
                return err_set(err, ERR_NOT_FOUND, "the secret %s is not there", read->secret);
        envelope = db_bytes(&rows, 0, &n);
        if (unseal(hand->sealer, &key, &place, envelope, n, &plain, err) < 0)
                return -1;
        answer.u.input_chunk = (struct msg_input_chunk){ .job = fetch->job,
                                                         .has_job = true,
                                                         .input = fetch->input,
                                                         .has_input = true,
                                                         .has_seq = true,
                                                         .final = true,
                                                         .has_final = true };
        reader_emit(hand, read, &answer, plain.bytes, plain.n);
        explicit_bzero(plain.bytes, plain.n);
        return 0;
}
