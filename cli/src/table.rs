//! Tables as docker prints them: columns are as wide as their widest cell, and at least ten.

use unicode_width::UnicodeWidthStr;

const MINIMUM: usize = 10;
const GAP: usize = 3;

/// Lays out a heading and its rows, every line with its newline.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    laid_out(heading, rows, |width| (width + GAP).max(MINIMUM))
}

/// The same with columns that are as wide as their widest cell, and so far apart.
pub(crate) fn columns<const N: usize>(heading: [&str; N], rows: &[[String; N]], gap: usize) -> String {
    laid_out(heading, rows, |width| width + gap)
}

fn laid_out<const N: usize>(
    heading: [&str; N],
    rows: &[[String; N]],
    column: impl Fn(usize) -> usize,
) -> String {
    let mut widths = heading.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    let heading = heading.map(str::to_owned);
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Measured, since the width that `format!` pads to counts characters.
            let padding = column(width).saturating_sub(cell.width());
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The first `width` characters of a text, the last of them an ellipsis if there are more.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows =
            [["debian".into(), "bookworm-slim".into(), "1kB".into()], ["λ".into(), "1".into(), "2GB".into()]];
        insta::assert_snapshot!(table(["REPOSITORY", "TAG", "SIZE"], &rows), @r"
        REPOSITORY   TAG             SIZE
        debian       bookworm-slim   1kB
        λ            1               2GB
        ");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(shortened("abcdef", 6), "abcdef");
        assert_eq!(shortened("abcdefg", 6), "abcde…");
    }
}
