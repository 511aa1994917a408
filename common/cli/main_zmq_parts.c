/* What libzmq refers to and the commands never use: the transports PGM and NORM, the mechanism GSSAPI. Linked into the
 * commands with the static libzmq instead of the eleven libraries behind these names, whose loading took longer than a
 * job's way to the coordinator and back; OpenPGM also searched the protocols of the system at each start.
 *
 * An endpoint is tcp:// or ipc:// (profile.c refuses others) and the mechanism CURVE: nothing here is ever called but
 * pgm_init and pgm_shutdown, with which every context of libzmq begins and ends. */
#include <stdlib.h>

#define NEVER_CALLED(name)                                                                                   \
        void name(void);                                                                                     \
        void name(void)                                                                                      \
        {                                                                                                    \
                abort();                                                                                     \
        }
#define NO_VALUE(name)                                                                                       \
        extern void *const name;                                                                             \
        void *const name = NULL;

int pgm_init(void **error);
int pgm_init(void **error)
{
        (void)error;
        return 1; /* done */
}

int pgm_shutdown(void);
int pgm_shutdown(void)
{
        return 1;
}

NEVER_CALLED(NormCreateInstance)
NEVER_CALLED(NormCreateSession)
NEVER_CALLED(NormDestroyInstance)
NEVER_CALLED(NormDestroySession)
NEVER_CALLED(NormGetDescriptor)
NEVER_CALLED(NormGetNextEvent)
NEVER_CALLED(NormGetRandomSessionId)
NEVER_CALLED(NormIsUnicastAddress)
NEVER_CALLED(NormNodeDelete)
NEVER_CALLED(NormObjectGetType)
NEVER_CALLED(NormObjectGetUserData)
NEVER_CALLED(NormObjectSetUserData)
NEVER_CALLED(NormSetCongestionControl)
NEVER_CALLED(NormSetDefaultSyncPolicy)
NEVER_CALLED(NormSetDefaultUnicastNack)
NEVER_CALLED(NormSetLoopback)
NEVER_CALLED(NormSetMulticastInterface)
NEVER_CALLED(NormSetRxPortReuse)
NEVER_CALLED(NormSetTTL)
NEVER_CALLED(NormStartReceiver)
NEVER_CALLED(NormStartSender)
NEVER_CALLED(NormStopInstance)
NEVER_CALLED(NormStopReceiver)
NEVER_CALLED(NormStopSender)
NEVER_CALLED(NormStreamFlush)
NEVER_CALLED(NormStreamOpen)
NEVER_CALLED(NormStreamRead)
NEVER_CALLED(NormStreamSeekMsgStart)
NEVER_CALLED(NormStreamWrite)
NEVER_CALLED(gss_accept_sec_context)
NEVER_CALLED(gss_acquire_cred)
NEVER_CALLED(gss_delete_sec_context)
NEVER_CALLED(gss_display_name)
NEVER_CALLED(gss_import_name)
NEVER_CALLED(gss_init_sec_context)
NEVER_CALLED(gss_release_buffer)
NEVER_CALLED(gss_release_cred)
NEVER_CALLED(gss_release_name)
NEVER_CALLED(gss_unwrap)
NEVER_CALLED(gss_wrap)
NEVER_CALLED(pgm_bind3)
NEVER_CALLED(pgm_close)
NEVER_CALLED(pgm_connect)
NEVER_CALLED(pgm_error_free)
NEVER_CALLED(pgm_free)
NEVER_CALLED(pgm_freeaddrinfo)
NEVER_CALLED(pgm_getaddrinfo)
NEVER_CALLED(pgm_getsockopt)
NEVER_CALLED(pgm_gsi_create_from_data)
NEVER_CALLED(pgm_recvmsgv)
NEVER_CALLED(pgm_send)
NEVER_CALLED(pgm_setsockopt)
NEVER_CALLED(pgm_socket)

NO_VALUE(GSS_C_NT_HOSTBASED_SERVICE)
NO_VALUE(GSS_C_NT_USER_NAME)
NO_VALUE(NORM_INSTANCE_INVALID)
NO_VALUE(NORM_NODE_ANY)
NO_VALUE(NORM_OBJECT_INVALID)
NO_VALUE(NORM_SESSION_INVALID)
