/* Files of `name = value` lines: the iterator, and the readers of profiles and key rings on top of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/conf.h"
#include "crypt/keyring.h"
#include "net/key_file.h"
#include "net/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const uint8_t *data, size_t size)
{
        CLEANUP_CONF struct conf conf = { 0 };
        struct conf_line line;
        struct err err = { 0 };
        int more;

        conf_from_text(&conf, "conf", (const char *)data, size);
        while ((more = conf_next(&conf, &line, &err)) > 0) {
                BUG_ON(!line.name[0] || strlen(line.name) > CONF_NAME_MAX);
                for (const char *p = line.value; *p; p++)
                        BUG_ON((unsigned char)*p < 0x20 && *p != '\t' && *p != '\r');
        }
        BUG_ON(more < 0 && strncmp(err.text, "conf:", 5) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char path[] = "/tmp/fuzz_conf.XXXXXX"; /* mode 0600: the readers look at that first */
        struct key_pair pair;
        struct err err;
        FILE *file;
        int fd;

        check_lines(data, size);
        fd = mkstemp(path);
        if (fd < 0)
                return 0;
        file = fdopen(fd, "wb");
        fwrite(data, 1, size, file);
        fclose(file);
        profile_free(profile_load(path, &err));
        keyring_free(keyring_load(path, &err));
        if (key_file_load(path, &pair, &err) == 0)
                BUG_ON(!key_pair_matches(&pair));
        unlink(path);
        return 0;
}
