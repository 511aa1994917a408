/* A key ring with known keys in a folder of its own, for the tests of sealing. */
#ifndef TESTS_CRYPT_SCENE_H
#define TESTS_CRYPT_SCENE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "crypt/envelope.h"
#include "tests/unit/unit.h"

#define SCENE_INSTALL "000102030405060708090a0b0c0d0e0f"
#define SCENE_KEK "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define SCENE_HASH "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
#define SCENE_SCOPE "8081828384858687888990919293949596979899a0a1a2a3a4a5a6a7a8a9b0b1"
#define SCENE_RING(install)                                                                                  \
        "# test\ninstall = " install "\nkey = 7 " SCENE_KEK "\nscope = " SCENE_SCOPE "\nhash = " SCENE_HASH  \
        "\n"

struct crypt_scene {
        char folder[32];
        char ring_path[64];
        struct keyring *keyring;
        struct sealer *sealer;
        struct data_key key; /* bytes 64, 65, … 95 */
        struct buf out;
        struct err err;
};

static inline void scene_write(const char *path, const char *text, size_t n, mode_t mode)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CU_ASSERT_FATAL(fd >= 0);
        CU_ASSERT_EQUAL_FATAL(write(fd, text, n), (ssize_t)n);
        CU_ASSERT_EQUAL_FATAL(fchmod(fd, mode), 0);
        close(fd);
}

static inline struct crypt_scene crypt_scene_with(const char *install)
{
        struct crypt_scene s = { .folder = "/tmp/jobmill-unit-XXXXXX" };
        char text[512];
        int n = snprintf(text, sizeof(text), "%s%s%s", "install = ", install,
                         strchr(SCENE_RING(SCENE_INSTALL), '\n') + 1 + strlen("install = " SCENE_INSTALL));

        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s.folder));
        snprintf(s.ring_path, sizeof(s.ring_path), "%s/keyring", s.folder);
        scene_write(s.ring_path, text, (size_t)n, 0600);
        s.keyring = keyring_load(s.ring_path, &s.err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s.keyring);
        s.sealer = sealer_new(s.keyring);
        for (int i = 0; i < DATA_KEY_BYTES; i++)
                s.key.bytes[i] = (uint8_t)(64 + i);
        return s;
}

static inline struct crypt_scene crypt_scene_new(void)
{
        return crypt_scene_with(SCENE_INSTALL);
}

static inline void crypt_scene_done(struct crypt_scene *s)
{
        sealer_free(s->sealer);
        keyring_free(s->keyring);
        buf_done(&s->out);
        unlink(s->ring_path);
        rmdir(s->folder);
}

#endif
