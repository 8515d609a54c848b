//! The input is a text with variables; its last line has their values, parted by commas.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &str| {
    let (text, values) = fuzz::last_line(input);
    let values: Vec<&str> = values.split(',').collect();
    fuzz::soundness::check_word(text, &values);
    fuzz::soundness::check_heredoc(text, &values);
});
