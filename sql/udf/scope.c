/* Scopes. A text that is not exactly as scope_make makes it covers nobody. */
#include "scope.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "crypt/bytes.h"

#define SCOPE_LABEL "JMSC1"
#define SCOPE_SECRET_BYTES 32
#define COMPARE_WHOLE_BYTES 1024

void scope_done(struct scope *scope)
{
        buf_done(&scope->text);
        free(scope->owners);
        *scope = (struct scope){ 0 };
}

/* One `<digits>,` at *at; moves on. */
static bool take_owner(const char **at, const char *end, uint32_t *ret_owner)
{
        uint64_t n = 0;
        const char *from = *at;

        while (*at < end && **at >= '0' && **at <= '9' && *at - from < 10)
                n = n * 10 + (uint64_t)(*(*at)++ - '0');
        if (*at == from || *at == end || **at != ',' || n > UINT32_MAX)
                return false;
        (*at)++;
        *ret_owner = (uint32_t)n;
        return true;
}

static bool is_list(const char *owners, size_t n)
{
        const char *at = owners;
        uint32_t owner;

        while (at < owners + n)
                if (!take_owner(&at, owners + n, &owner))
                        return false;
        return true;
}

static void scope_mac(const struct keyring *keyring, const char *owners, size_t n,
                      uint8_t mac[EVP_MAX_MD_SIZE])
{
        CLEANUP_BUF struct buf labelled = { 0 };
        unsigned mac_bytes;

        buf_add(&labelled, SCOPE_LABEL, strlen(SCOPE_LABEL));
        buf_add(&labelled, owners, n);
        BUG_ON(!HMAC(EVP_sha256(), keyring_scope_secret(keyring), SCOPE_SECRET_BYTES,
                     (const uint8_t *)labelled.bytes, labelled.n, mac, &mac_bytes));
}

int scope_make(const struct keyring *keyring, const char *owners, size_t n, struct buf *out)
{
        uint8_t mac[EVP_MAX_MD_SIZE];
        char hex[SCOPE_MAC_HEX + 1];

        if (!is_list(owners, n))
                return -1;
        scope_mac(keyring, owners, n, mac);
        hex_write(mac, SCOPE_MAC_HEX / 2, hex);
        buf_add(out, owners, n);
        buf_add_char(out, '.');
        buf_add_str(out, hex);
        return 0;
}

static int compare_owners(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a;
        uint32_t y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

static bool authentic(const struct keyring *keyring, const char *text, size_t n)
{
        uint8_t want[EVP_MAX_MD_SIZE];
        uint8_t got[SCOPE_MAC_HEX / 2];

        if (n < 1 + SCOPE_MAC_HEX || text[n - SCOPE_MAC_HEX - 1] != '.' ||
            !hex_read(text + n - SCOPE_MAC_HEX, SCOPE_MAC_HEX, got, sizeof(got)))
                return false;
        scope_mac(keyring, text, n - SCOPE_MAC_HEX - 1, want);
        return CRYPTO_memcmp(want, got, sizeof(got)) == 0;
}

static void scope_read(struct scope *scope, const struct keyring *keyring, const char *text, size_t n)
{
        const char *at = text;
        const char *end;
        uint32_t owner;

        buf_clear(&scope->text);
        buf_add(&scope->text, text, n);
        scope->n_owners = 0;
        scope->valid = authentic(keyring, text, n);
        if (!scope->valid)
                return;
        end = text + n - SCOPE_MAC_HEX - 1;
        while (at < end && take_owner(&at, end, &owner)) {
                GROW(scope->owners, scope->cap, scope->n_owners + 1);
                scope->owners[scope->n_owners++] = owner;
        }
        if (scope->n_owners)
                qsort(scope->owners, scope->n_owners, sizeof(*scope->owners), compare_owners);
}

/* Is it the text looked at last? Of a long one (somebody who sees thousands of people) the end tells as well as the
 * whole: the owners kept are those that this very MAC was made for. */
static bool same_text(const struct scope *scope, const char *text, size_t n)
{
        size_t from = scope->valid && n > COMPARE_WHOLE_BYTES ? n - SCOPE_MAC_HEX : 0;

        return scope->text.bytes && scope->text.n == n &&
               !memcmp(scope->text.bytes + from, text + from, n - from);
}

bool scope_covers(struct scope *scope, const struct keyring *keyring, const char *text, size_t n,
                  int64_t owner)
{
        uint32_t want = (uint32_t)owner;

        if (owner < 0 || owner > UINT32_MAX)
                return false;
        if (!same_text(scope, text, n))
                scope_read(scope, keyring, text, n);
        if (!scope->valid || !scope->n_owners)
                return false;
        return bsearch(&want, scope->owners, scope->n_owners, sizeof(want), compare_owners) != NULL;
}
