// The life of a libuv handle, written once. A handle's memory must not move and must outlive the close callback; so it
// is allocated on the heap, retains its Swift owner from `own` to the close callback, and is freed by that owner's
// deinit, which can't run earlier.

internal import CLibuv

/// What owns a libuv handle and can let go of it.
protocol HandleOwner: AnyObject {
    /// Idempotent; ends in ``Handles/close(_:)``.
    func close()
}

/// What all handles have in common.
enum Handles {
    /// Memory for a handle, not initialised; freed by its owner's deinit.
    static func allocate<Handle>(_ type: Handle.Type) -> UnsafeMutableRawPointer {
        .allocate(byteCount: MemoryLayout<Handle>.size, alignment: MemoryLayout<Handle>.alignment)
    }

    /// Ties `owner` to an initialised handle: +1 retain, given back by ``close(_:)``.
    static func own<Owner: HandleOwner>(_ handle: UnsafeMutableRawPointer, _ owner: Owner) {
        taibai_set_handle_data(handle, Unmanaged.passRetained(owner).toOpaque())
    }

    /// The owner, inside a callback.
    @inline(__always)
    static func owner<Handle, Owner: AnyObject>(of handle: UnsafeMutablePointer<Handle>, as type: Owner.Type) -> Owner {
        Unmanaged<Owner>.fromOpaque(taibai_handle_data(handle)).takeUnretainedValue()
    }

    /// Closes the handle; the owner is released when libuv has let go of it. Call once.
    static func close(_ handle: UnsafeMutableRawPointer) {
        uv_close(taibai_handle(handle)) { handle in
            Unmanaged<AnyObject>.fromOpaque(taibai_handle_data(handle)).release()
        }
    }

    /// Closes every handle that a ``HandleOwner`` owns; the loop's own have other owners and stay.
    /// - Returns: how many of them libuv has not let go of yet.
    static func closeAll(of loop: UnsafeMutablePointer<uv_loop_t>) -> Int {
        var count = 0
        uv_walk(
            loop,
            { handle, count in
                let object = Unmanaged<AnyObject>.fromOpaque(taibai_handle_data(handle)).takeUnretainedValue()
                guard let owner = object as? any HandleOwner else { return }
                owner.close()
                count!.assumingMemoryBound(to: Int.self).pointee += 1
            }, &count)
        return count
    }
}
