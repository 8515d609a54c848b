//! Every `testdata/parser/*.dockerfile` parses to the tree in the `.tree` file beside it.

use parser::{dump, parse};

#[path = "../../testdata/corpus.rs"]
mod corpus;

#[test]
fn trees_are_as_expected() {
    let files = corpus::files("parser", "dockerfile");
    corpus::compare(&files, "tree", |text| dump(text, &parse(text)));
}
