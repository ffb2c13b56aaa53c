// The Date field, written without Foundation and at most once a second.

import Model

/// The line of the current second, `Date: Sun, 06 Nov 1994 08:49:37 GMT` and CR LF. Source: RFC 9110 §5.6.7.
struct HTTPDate {
    private static let days: [StaticString] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    private static let secondsPerDay: Int64 = 86_400

    private var second = Int64.min
    private var text: [UInt8] = []

    /// The line for the second that `time` lies in; made anew only when that second is another.
    mutating func line(at time: WallTime) -> [UInt8] {
        if time.seconds != second {
            second = time.seconds
            text = Self.format(second)
        }
        return text
    }

    private static func format(_ seconds: Int64) -> [UInt8] {
        let time = CivilTime(seconds: seconds)
        // 1970-01-01 was a Thursday. A clock before that year gets a weekday too, by division that rounds down.
        let day = (seconds - (seconds % secondsPerDay + secondsPerDay) % secondsPerDay) / secondsPerDay
        var text: [UInt8] = []
        text.reserveCapacity(37)
        text.append(text: "Date: ")
        text.append(text: days[Int((day % 7 + 7) % 7)])
        text.append(text: ", ")
        text.append(twoDigits: time.day)
        text.append(text: " ")
        text.append(text: months[time.month - 1])
        text.append(text: " ")
        text.append(twoDigits: time.year / 100)
        text.append(twoDigits: time.year % 100)
        text.append(text: " ")
        text.append(twoDigits: time.hour)
        text.append(text: ":")
        text.append(twoDigits: time.minute)
        text.append(text: ":")
        text.append(twoDigits: time.second)
        text.append(text: " GMT\r\n")
        return text
    }
}

extension [UInt8] {
    fileprivate mutating func append(twoDigits value: Int) {
        append(Byte.zero + UInt8(value / 10 % 10))
        append(Byte.zero + UInt8(value % 10))
    }
}
