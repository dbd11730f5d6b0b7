/* SPDX-License-Identifier: Apache-2.0
 * libsystemd.so.0 for the guest, which has no systemd: what crun links of it. crun calls most of it
 * for the systemd cgroup manager, which the agent never asks for; there each call fails. Debian's
 * library would bring five others along: 3.6 MB of programs that run as root, to no end, and that
 * each start of crun has to relocate. sd_notify returns what it does without a NOTIFY_SOCKET. */
#define ENOSYS 38

#define FAILS(name) \
  int name(void);   \
  int name(void) { return -ENOSYS; }
#define DOES_NOTHING(name) \
  int name(void);          \
  int name(void) { return 0; }

FAILS(sd_bus_call)
FAILS(sd_bus_default_system)
FAILS(sd_bus_default_user)
FAILS(sd_bus_match_signal_async)
FAILS(sd_bus_message_append)
FAILS(sd_bus_message_append_strv)
FAILS(sd_bus_message_close_container)
FAILS(sd_bus_message_new_method_call)
FAILS(sd_bus_message_open_container)
FAILS(sd_bus_message_read)
FAILS(sd_bus_process)
FAILS(sd_bus_wait)
FAILS(sd_journal_send_with_location)
DOES_NOTHING(sd_notify)
DOES_NOTHING(sd_notify_barrier)
DOES_NOTHING(sd_bus_error_free)
DOES_NOTHING(sd_bus_error_get_errno)

/* These two return the pointer that is left: none. */
void *sd_bus_unref(void *bus);
void *sd_bus_unref(void *bus) { return (void)bus, (void *)0; }
void *sd_bus_message_unref(void *message);
void *sd_bus_message_unref(void *message) { return (void)message, (void *)0; }
