"""Runs a program where namespaces are refused, as in most containers: without-namespaces.py PROGRAM ARGUMENT...

A seccomp filter answers EPERM to what makes, joins or mounts, and ENOSYS to clone3. Source: seccomp(2), and the default
profile of Docker, which does the same.
"""

import ctypes
import os
import platform
import struct
import sys

X86 = platform.machine() == "x86_64"
EPERM, ENOSYS = 1, 38
# unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsmount mount_setattr
REFUSED = (272, 308, 165, 166, 155, 161, 428, 429, 430, 432, 442) if X86 else (
    97, 268, 40, 39, 41, 51, 428, 429, 430, 432, 442)
CLONE, CLONE3 = (56 if X86 else 220), 435
NEW_NAMESPACES = 0x7E020000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ERRNO, ALLOW = 0x00050000, 0x7FFF0000


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("<HBBI", code, if_true, if_false, value)


def main():
    program = [instruction(LOAD, 0), instruction(EQUAL, CLONE3, 0, 1), instruction(RETURN, ERRNO | ENOSYS)]
    for number in REFUSED:
        program += [instruction(EQUAL, number, 0, 1), instruction(RETURN, ERRNO | EPERM)]
    program += [
        instruction(EQUAL, CLONE, 0, 3), instruction(LOAD, 16), instruction(ANY_BIT, NEW_NAMESPACES, 0, 1),
        instruction(RETURN, ERRNO | EPERM), instruction(RETURN, ALLOW)]
    libc = ctypes.CDLL(None, use_errno=True)
    code = b"".join(program)
    kept = ctypes.create_string_buffer(code, len(code))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(kept))
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.create_string_buffer(whole, len(whole)), 0, 0)):
        if libc.prctl(*arguments) != 0:
            sys.exit(f"prctl({arguments[0]}): {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


main()
