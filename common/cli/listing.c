/* Pages of rows. The rows of a page stay JSON text until they are looked at; one page is in memory at a time. */
#include "cli/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define ROWS_DEPTH 3 /* array of arrays of plain values, or of the name of a result */

struct listing listing_of(struct cli *cli, enum list_kind what)
{
        struct listing listing = { .cli = cli, .request = { .kind = MSG_list } };

        listing.request.u.list.what = what;
        listing.request.u.list.has_what = true;
        return listing;
}

void listing_done(struct listing *listing)
{
        msg_free(listing->page);
        msg_free(listing->value);
        json_tokens_done(&listing->tokens);
        xfree(listing->cell_list);
        buf_done(&listing->text);
        *listing = (struct listing){ 0 };
}

static int bad_page(struct err *err)
{
        return err_set(err, ERR_INTERNAL, "the coordinator sent rows of an unknown form");
}

static int ask_page(struct listing *listing, struct err *err)
{
        struct msg *page;
        const struct msg_rows *rows;

        listing->request.id = 0;
        page = cli_call(listing->cli, &listing->request, MSG_rows, err);
        if (!page)
                return -1;
        msg_free(listing->page);
        listing->page = page;
        listing->asked = true;
        rows = &page->u.rows;
        listing->columns = rows->columns;
        listing->n_columns = rows->n_columns;
        listing->cell_list = xrealloc(listing->cell_list, MAX(rows->n_columns, 1) * sizeof(struct cell));
        listing->cells = listing->cell_list;
        if (json_scan(rows->rows, rows->n_rows, ROWS_DEPTH, &listing->tokens, err) < 0)
                return err_wrap(err, "rows");
        if (listing->tokens.list[0].kind != JSON_KIND_ARRAY)
                return bad_page(err);
        listing->at = 1;
        return 0;
}

static int read_cell(struct listing *listing, const struct json_token *token, struct cell *cell,
                     struct err *err)
{
        const char *text = listing->page->u.rows.rows;

        cell->text = text + token->at;
        cell->n = token->end - token->at;
        switch ((enum json_kind)token->kind) {
        case JSON_KIND_NULL:
                *cell = (struct cell){ .kind = CELL_NULL, .text = NULL };
                return 0;
        case JSON_KIND_INTEGER:
        case JSON_KIND_NUMBER:
        case JSON_KIND_TRUE:
        case JSON_KIND_FALSE:
                cell->kind = CELL_NUMBER;
                return 0;
        case JSON_KIND_STRING:
                cell->kind = CELL_TEXT;
                if (token->escaped) {
                        char *at = listing->text.bytes + listing->text.n; /* reserved by read_row */

                        cell->text = at;
                        cell->n = json_unescape(text, token, at);
                        listing->text.n += cell->n;
                }
                return 0;
        case JSON_KIND_ARRAY:
        case JSON_KIND_OBJECT:
                break;
        }
        return bad_page(err);
}

/* A result that no row can carry is named by its attempt, [N]; its bytes are asked for. One of a row: results have no
 * more. */
static int fetch_value(struct listing *listing, size_t at, struct cell *cell, struct err *err)
{
        const struct json_token *list = listing->tokens.list;
        struct msg request = { .kind = MSG_get };
        struct msg_get *get = &request.u.get;
        struct cell attempt;

        if (list[at].kind != JSON_KIND_ARRAY || list[at].n != 1 || list[at + 1].kind != JSON_KIND_INTEGER)
                return bad_page(err);
        if (read_cell(listing, &list[at + 1], &attempt, err) < 0 ||
            listing_u64(listing, "job_id", &get->job, err) < 0 ||
            listing_u64(listing, "task_index", &get->index, err) < 0)
                return -1;
        get->attempt = strtoull(attempt.text, NULL, 10);
        get->has_job = get->has_index = get->has_attempt = get->has_file = get->has_seq = true;
        msg_free(listing->value);
        listing->value = cli_call(listing->cli, &request, MSG_chunk, err);
        if (!listing->value)
                return -1;
        *cell = (struct cell){ .kind = CELL_TEXT,
                               .text = (const char *)listing->value->body,
                               .n = listing->value->body_bytes };
        return 0;
}

static int read_row(struct listing *listing, struct err *err)
{
        const struct json_token *row = &listing->tokens.list[listing->at];
        size_t at = listing->at + 1, named = 0, named_at = 0;

        if (row->kind != JSON_KIND_ARRAY || row->n != listing->n_columns)
                return bad_page(err);
        buf_clear(&listing->text);
        buf_reserve(&listing->text, row->n ? listing->tokens.list[row->next - 1].end - row->at : 0);
        for (size_t i = 0; i < listing->n_columns; i++) {
                if (listing->tokens.list[at].kind == JSON_KIND_ARRAY && !named_at) {
                        named = i;
                        named_at = at;
                        listing->cell_list[i] = (struct cell){ .kind = CELL_NULL, .text = NULL };
                } else if (read_cell(listing, &listing->tokens.list[at], &listing->cell_list[i], err) < 0)
                        return -1;
                at = json_next(listing->tokens.list, at);
        }
        if (named_at && fetch_value(listing, named_at, &listing->cell_list[named], err) < 0)
                return -1;
        listing->at = row->next;
        return 1;
}

int listing_next(struct listing *listing, struct err *err)
{
        if (!listing->asked && ask_page(listing, err) < 0)
                return -1;
        while (listing->at >= listing->tokens.n) {
                const struct msg_rows *rows = &listing->page->u.rows;

                if ((!rows->has_next && !rows->has_next_index) || listing->tokens.n == 1)
                        return 0; /* a page without rows is the last, whatever it says */
                listing->request.u.list.has_from = rows->has_next;
                listing->request.u.list.from = rows->next;
                listing->request.u.list.has_from_index = rows->has_next_index;
                listing->request.u.list.from_index = rows->next_index;
                if (ask_page(listing, err) < 0)
                        return -1;
        }
        return read_row(listing, err);
}

int listing_cell(const struct listing *listing, const char *column, const struct cell **ret_cell,
                 struct err *err)
{
        for (size_t i = 0; i < listing->n_columns; i++)
                if (strcmp(listing->columns[i], column) == 0) {
                        *ret_cell = &listing->cells[i];
                        return 0;
                }
        return err_set(err, ERR_INTERNAL, "the coordinator's rows have no column %s", column);
}

int listing_u64(const struct listing *listing, const char *column, uint64_t *ret_n, struct err *err)
{
        const struct cell *cell;
        char digits[24];

        if (listing_cell(listing, column, &cell, err) < 0)
                return -1;
        if (cell->kind != CELL_NUMBER || cell->n >= sizeof(digits)) {
                *ret_n = 0;
                return 0;
        }
        memcpy(digits, cell->text, cell->n);
        digits[cell->n] = '\0';
        *ret_n = strtoull(digits, NULL, 10);
        return 0;
}
