//! A conversation with the console, which is the same on the host and on every board.

/// Inputs. Each ends at a prompt; the last one restarts the board, which empties the UART.
pub fn script() -> [&'static [u8]; 40] {
    [
        // Lines end in CR, LF or both; an empty line draws any names.
        b"ma\r",
        b"el\n",
        b":n 3\r\n",
        b"\r\n",
        b":seed 7\r",
        b":n 20\r",
        b"\r",
        b":n 2\r",
        // Edited lines.
        b"max\x08rr\x7fi\r",
        "ma\u{e9}\u{20ac}\x7f\x7fr\r".as_bytes(),
        b"nonsense\x15jo\r",
        b"abandoned\x03",
        b"e\x1b[A\x1b[Dm\x1bOP\x1b[3~m\r",
        // Input that is refused.
        b"mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm\r",
        b"a\xff\xfe\r",
        b"Emma\r",
        "no\u{eb}l\r".as_bytes(),
        b"abcdefghijklmnopqrstuvwxyzabcdefg\r",
        b":frob\r",
        b":n 0\r",
        b":seed 18446744073709551616\r",
        b":temp 70\r",
        b":temp 0.1234\r",
        b":topk many\r",
        b":score\r",
        b":score \xc3\xa9\r",
        b":text ma\r",
        // Settings and scores.
        b":score emma\r",
        b":score xqz\r",
        b":temp 0\r",
        b"ma\r",
        b":temp 0.8\r",
        b":topk 5\r",
        b"ma\r",
        b":seed 18446744073709551615\r",
        // A text: word after word.
        b":text 60\r",
        b":text 12 jo\r",
        b":info\r",
        b":help\r",
        b":reset\r",
    ]
}

/// Returns a conversation as text: control characters as escapes, and without the numbers that differ between boards.
pub fn transcript(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in String::from_utf8_lossy(bytes).replace("\r\n", "\n").split_inclusive('\n') {
        match line.split_whitespace().next() {
            Some(key @ ("layout" | "board" | "flash" | "RAM" | "stack")) => text += &format!("{key} ...\n"),
            _ => line.chars().for_each(|character| match character {
                '\n' => text.push('\n'),
                character if character.is_control() => text.extend(character.escape_default()),
                character => text.push(character),
            }),
        }
    }
    text + "\n"
}
