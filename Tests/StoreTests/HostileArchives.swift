// Archives that nobody packs by accident, made by python3's zipfile and tarfile and then bent by hand.

import Foundation
import Store
import TestSupport

/// What is wrong with an archive, and what its refusal has to say.
struct HostileArchive {
    /// The name of the function in ``script`` that makes it.
    let name: String
    /// A part of the problem's detail.
    let refusal: String

    /// Small, so that what is too large is quickly made and quickly refused.
    static let limits: PackageLimits = {
        var limits = PackageLimits()
        limits.unpackedBytes = 4 << 20
        limits.entries = 300
        return limits
    }()

    static let all: [HostileArchive] = [
        // Paths that leave the folder or mean something else elsewhere.
        HostileArchive(name: "zip_parent", refusal: "contains '..'"),
        HostileArchive(name: "zip_parent_inside", refusal: "contains '..'"),
        HostileArchive(name: "zip_absolute", refusal: "is absolute"),
        HostileArchive(name: "zip_backslash", refusal: "backslash"),
        HostileArchive(name: "zip_newline", refusal: "control byte 10"),
        HostileArchive(name: "zip_escape_sequence", refusal: "control byte 27"),
        HostileArchive(name: "zip_nul", refusal: "control byte 0"),
        HostileArchive(name: "zip_long_name", refusal: "a name has 256 bytes"),
        HostileArchive(name: "zip_long_path", refusal: "at most 1024"),
        HostileArchive(name: "zip_not_utf8", refusal: "not UTF-8"),
        HostileArchive(name: "zip_nameless", refusal: "no name of its own"),
        HostileArchive(name: "tar_parent", refusal: "contains '..'"),
        HostileArchive(name: "tar_absolute", refusal: "is absolute"),
        HostileArchive(name: "tar_pax_parent", refusal: "contains '..'"),
        HostileArchive(name: "tar_gnu_long_name_parent", refusal: "contains '..'"),
        HostileArchive(name: "tar_control", refusal: "control byte 7"),
        // Links.
        HostileArchive(name: "tar_link_absolute", refusal: "absolute path /etc"),
        HostileArchive(name: "tar_link_out", refusal: "points out of the package"),
        HostileArchive(name: "tar_link_through_link", refusal: "points out of the package"),
        HostileArchive(name: "tar_write_through_link", refusal: "goes through the link"),
        HostileArchive(name: "tar_file_over_link", refusal: "is there twice"),
        HostileArchive(name: "tar_link_over_folder", refusal: "is there twice"),
        HostileArchive(name: "tar_link_empty", refusal: "no usable path"),
        HostileArchive(name: "tar_hard_link", refusal: "is a hard link"),
        HostileArchive(name: "tar_hard_link_out", refusal: "is a hard link"),
        HostileArchive(name: "zip_link_out", refusal: "points out of the package"),
        // Things that are no files.
        HostileArchive(name: "tar_character_device", refusal: "device, pipe or socket"),
        HostileArchive(name: "tar_block_device", refusal: "device, pipe or socket"),
        HostileArchive(name: "tar_pipe", refusal: "device, pipe or socket"),
        HostileArchive(name: "zip_socket", refusal: "device, pipe or socket"),
        // The same place twice.
        HostileArchive(name: "zip_twice", refusal: "is there twice"),
        HostileArchive(name: "zip_twice_normalised", refusal: "is there twice"),
        HostileArchive(name: "tar_twice", refusal: "is there twice"),
        HostileArchive(name: "tar_file_and_folder", refusal: "is there twice"),
        HostileArchive(name: "tar_inside_file", refusal: "is a file"),
        // Too much.
        HostileArchive(name: "zip_many", refusal: "301 entries"),
        HostileArchive(name: "tar_many", refusal: "more than 300 files"),
        HostileArchive(name: "tar_deep", refusal: "more than 300 files"),
        HostileArchive(name: "zip_bomb_declared", refusal: "at most 4194304 are allowed"),
        HostileArchive(name: "zip_bomb_undeclared", refusal: "longer than the 1000 bytes"),
        HostileArchive(name: "zip_bomb_streamed", refusal: "can't be read"),
        HostileArchive(name: "zip_overlapping", refusal: "shares bytes"),
        HostileArchive(name: "tar_bomb_gz", refusal: "more than 4MiB"),
        HostileArchive(name: "tar_bomb_sparse", refusal: "more than 4MiB"),
        HostileArchive(name: "tar_folder_with_bytes", refusal: "can't be read"),
        HostileArchive(name: "gz_of_gz", refusal: "compressed more than once"),
        // Two truths.
        HostileArchive(name: "zip_other_local_name", refusal: "another name or form"),
        HostileArchive(name: "zip_other_local_size", refusal: "another size"),
        HostileArchive(name: "zip_unicode_path", refusal: "another name"),
        HostileArchive(name: "zip_two_ends", refusal: "two ends"),
        HostileArchive(name: "zip_end_in_comment", refusal: "damaged"),
        HostileArchive(name: "zip_bytes_behind", refusal: "bytes behind its end"),
        HostileArchive(name: "zip_hidden_directory", refusal: "damaged"),
        HostileArchive(name: "zip_wrong_wide_end", refusal: "damaged"),
        HostileArchive(name: "zip_split", refusal: "split over several files"),
        // Broken.
        HostileArchive(name: "zip_encrypted", refusal: "encrypted"),
        HostileArchive(name: "zip_lzma", refusal: "method 14"),
        HostileArchive(name: "zip_wrong_checksum", refusal: "can't be read"),
        HostileArchive(name: "zip_truncated", refusal: "damaged"),
        HostileArchive(name: "zip_empty", refusal: "is empty"),
        HostileArchive(name: "zip_offset_outside", refusal: "damaged"),
        HostileArchive(name: "tar_truncated", refusal: "can't be read"),
        HostileArchive(name: "tar_gz_truncated", refusal: "can't be read"),
        HostileArchive(name: "gz_of_a_file", refusal: "can't be read"),
    ]

    /// Runs the script, which writes each archive as a file of its name into `folder`.
    static func make(in folder: TemporaryFolder) throws {
        try folder.write("hostile.py", script)
        let result = try ChildProcess.run("python3", [folder.path(of: "hostile.py"), folder.path])
        guard result.succeeded else { throw SupportError("hostile.py: \(result.errors)") }
    }

    private static let script = #"""
        import gzip, io, os, stat, struct, sys, tarfile, warnings, zipfile
        warnings.simplefilter("ignore")

        def zip_of(entries, compression=zipfile.ZIP_DEFLATED, **info):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", compression) as archive:
                for name, content in entries:
                    entry = zipfile.ZipInfo("x")
                    entry.filename = name
                    entry.compress_type = compression
                    for key, value in info.items():
                        setattr(entry, key, value)
                    archive.writestr(entry, content)
            return out.getvalue()

        def member(name, type=tarfile.REGTYPE, content=b"x", link=""):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = type, link, len(content) if type == tarfile.REGTYPE else 0
            return entry, content

        def tar_of(*members, format=tarfile.USTAR_FORMAT):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", format=format) as archive:
                for entry, content in members:
                    archive.addfile(entry, io.BytesIO(content) if entry.isreg() else None)
            return out.getvalue()

        def replaced(data, old, new, count=-1):
            assert old in data and len(old) == len(new)
            return data.replace(old, new, count)

        def patched(data, signature, offset, new, last=False):
            at = (data.rindex if last else data.index)(signature) + offset
            return data[:at] + new + data[at + len(new):]

        LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"

        def zip_parent(): return zip_of([("../evil", "x")])
        def zip_parent_inside(): return zip_of([("a/../b", "x")])
        def zip_absolute(): return zip_of([("/tmp/evil", "x")])
        def zip_backslash(): return zip_of([("..\\evil", "x")])
        def zip_newline(): return zip_of([("a\nb", "x")])
        def zip_escape_sequence(): return zip_of([("\x1b[2J", "x")])
        def zip_nul(): return replaced(zip_of([("main.py#.txt", "x")]), b"main.py#.txt", b"main.py\0.txt")
        def zip_long_name(): return zip_of([("n" * 256, "x")])
        def zip_long_path(): return zip_of([("/".join(["folder"] * 150), "x")])
        def zip_not_utf8(): return replaced(zip_of([("ab##", "x")]), b"ab##", b"ab\xff\xfe")
        def zip_nameless(): return zip_of([("./.", "x")])
        def tar_parent(): return tar_of(member("../evil"))
        def tar_absolute(): return tar_of(member("/tmp/evil"))
        def tar_pax_parent():
            entry, content = member("good")
            entry.pax_headers = {"path": "../evil"}
            return tar_of((entry, content), format=tarfile.PAX_FORMAT)
        def tar_gnu_long_name_parent():
            return tar_of(member("a/" * 60 + "../" * 61 + "evil"), format=tarfile.GNU_FORMAT)
        def tar_control(): return tar_of(member("bell\x07"))

        def tar_link_absolute(): return tar_of(member("link", tarfile.SYMTYPE, link="/etc/passwd"))
        def tar_link_out(): return tar_of(member("a/link", tarfile.SYMTYPE, link="../../x"))
        def tar_link_through_link():
            return tar_of(member("a/b/up", tarfile.SYMTYPE, link="../.."),
                          member("evil", tarfile.SYMTYPE, link="a/b/up/../outside"))
        def tar_write_through_link():
            return tar_of(member("dir", tarfile.DIRTYPE), member("link", tarfile.SYMTYPE, link="dir"),
                          member("link/evil"))
        def tar_file_over_link():
            return tar_of(member("dir/x"), member("link", tarfile.SYMTYPE, link="dir/x"), member("link"))
        def tar_link_over_folder():
            return tar_of(member("dir", tarfile.DIRTYPE), member("dir", tarfile.SYMTYPE, link="."))
        def tar_link_empty(): return tar_of(member("link", tarfile.SYMTYPE, link="a\nb"))
        def tar_hard_link(): return tar_of(member("a"), member("b", tarfile.LNKTYPE, link="a"))
        def tar_hard_link_out(): return tar_of(member("b", tarfile.LNKTYPE, link="/etc/passwd"))
        def zip_link_out():
            return zip_of([("link", "../../../etc/passwd")], external_attr=(stat.S_IFLNK | 0o777) << 16)

        def tar_character_device(): return tar_of(member("null", tarfile.CHRTYPE))
        def tar_block_device(): return tar_of(member("disk", tarfile.BLKTYPE))
        def tar_pipe(): return tar_of(member("pipe", tarfile.FIFOTYPE))
        def zip_socket(): return zip_of([("socket", "")], external_attr=(stat.S_IFSOCK | 0o777) << 16)

        def zip_twice(): return zip_of([("main.py", "good"), ("main.py", "evil")])
        def zip_twice_normalised(): return zip_of([("a/main.py", "good"), ("./a//main.py", "evil")])
        def tar_twice(): return tar_of(member("a"), member("./a"))
        def tar_file_and_folder(): return tar_of(member("a"), member("a", tarfile.DIRTYPE))
        def tar_inside_file(): return tar_of(member("a"), member("a/b"))

        def zip_many(): return zip_of([(str(i), "") for i in range(301)], zipfile.ZIP_STORED)
        def tar_many(): return gzip.compress(tar_of(*[member(str(i)) for i in range(301)]), 1)
        def tar_deep():
            return gzip.compress(tar_of(*[member("%d/" % i + "d/" * 400 + "f") for i in range(30)],
                                        format=tarfile.GNU_FORMAT))
        def zip_bomb_declared(): return zip_of([("zeros", bytes(5 << 20))])
        def zip_bomb_undeclared():
            data = zip_of([("zeros", bytes(2 << 20))])
            data = patched(data, LOCAL, 22, struct.pack("<I", 1000))
            return patched(data, CENTRAL, 24, struct.pack("<I", 1000))
        def zip_bomb_streamed():
            class Pipe(io.BytesIO):
                def seekable(self): return False
                def seek(self, *_): raise OSError()
                def tell(self): raise OSError()
            out = Pipe()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr("zeros", bytes(2000))
            data = out.getvalue()
            return patched(data, CENTRAL, 24, struct.pack("<I", 1000))
        def zip_overlapping():
            data = zip_of([("aaaa", "x" * 50), ("aaab", "x" * 50)], zipfile.ZIP_STORED)
            at = data.rindex(CENTRAL)
            data = data[:at + 42] + struct.pack("<I", 0) + data[at + 46:]
            return replaced(data, b"aaab", b"aaaa")
        def tar_bomb_gz(): return gzip.compress(tar_of(member("zeros", content=bytes(5 << 20))), 1)
        def tar_bomb_sparse():
            entry, _ = member("hole", content=b"")
            entry.size = 1024
            entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole",
                                 "GNU.sparse.realsize": str(1 << 40)}
            content = b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512
            return tar_of((entry, content), format=tarfile.PAX_FORMAT)
        def tar_folder_with_bytes():
            data = bytearray(tar_of(member("file", content=b"x" * 512)))
            data[156:157] = b"5"
            data[148:156] = b" " * 8
            data[148:156] = b"%06o\0 " % sum(data[:512])
            return bytes(data)
        def gz_of_gz(): return gzip.compress(gzip.compress(tar_of(member("main.py"))))

        def zip_other_local_name(): return replaced(zip_of([("main.py", "x")]), b"main.py", b"evil.py", 1)
        def zip_other_local_size():
            return patched(zip_of([("main.py", "x" * 100)], zipfile.ZIP_STORED), LOCAL, 22, struct.pack("<I", 99))
        def zip_unicode_path():
            import zlib
            extra = b"\1" + struct.pack("<I", zlib.crc32(b"main.py")) + b"evil.py"
            return zip_of([("main.py", "x")], extra=struct.pack("<HH", 0x7075, len(extra)) + extra)
        def zip_two_ends():
            out = io.BytesIO(zip_of([("main.py", "x")]))
            with zipfile.ZipFile(out, "a") as archive:
                archive.comment = END
            return out.getvalue()
        def zip_end_in_comment():
            out = io.BytesIO(zip_of([("main.py", "x")]))
            with zipfile.ZipFile(out, "a") as archive:
                archive.comment = zip_of([("evil.py", "y")])[-22:]
            return out.getvalue()
        def zip_bytes_behind(): return zip_of([("main.py", "x")]) + b"more"
        def zip_hidden_directory():
            data = zip_of([("main.py", "x")])
            at = data.index(END)
            return data[:at] + data[data.index(CENTRAL):at] + data[at:]
        def zip_wrong_wide_end():
            data = zip_of([("main.py", "x")])
            at, start = data.index(END), data.index(CENTRAL)
            wide = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, at - start, 0)
            return data[:at] + wide + b"PK\6\7" + struct.pack("<IQI", 0, at, 1) + data[at:]
        def zip_split(): return patched(zip_of([("main.py", "x")]), END, 4, b"\1\0")

        def zip_encrypted():
            data = zip_of([("main.py", "x")])
            return patched(patched(data, LOCAL, 6, b"\1\0"), CENTRAL, 8, b"\1\0")
        def zip_lzma(): return zip_of([("main.py", "x" * 100)], zipfile.ZIP_LZMA)
        def zip_wrong_checksum():
            return replaced(zip_of([("main.py", "print(1)")], zipfile.ZIP_STORED), b"print(1)", b"print(2)")
        def zip_truncated(): return zip_of([("main.py", "x" * 100)])[:-30]
        def zip_empty(): return zip_of([])
        def zip_offset_outside(): return patched(zip_of([("main.py", "x")]), CENTRAL, 42, b"\xff\xff\0\0")
        def tar_truncated(): return tar_of(member("main.py", content=b"x" * 5000))[:2000]
        def tar_gz_truncated(): return gzip.compress(tar_of(member("main.py", content=os.urandom(5000))))[:2000]
        def gz_of_a_file(): return gzip.compress(b"def handler(event, context): pass\n" * 40)

        for name, make in list(globals().items()):
            if name.split("_")[0] in ("zip", "tar", "gz") and name not in ("zip_of", "tar_of"):
                with open(os.path.join(sys.argv[1], name), "wb") as out:
                    out.write(make())
        """#
}
