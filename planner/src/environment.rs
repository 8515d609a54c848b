//! Variables: what a stage's instructions see, and what its image config lists.

use std::collections::{BTreeMap, HashMap};

/// The variables that the instructions of a stage see: ENV and ARG alike.
///
/// They are ordered by their latest assignment: a variable that is set again moves to the end, as
/// in `BuildKit`, which decides the order in which a process finds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    variables: HashMap<String, (u64, String)>,
    order: BTreeMap<u64, String>,
    next: u64,
}

impl Environment {
    /// Assigns a variable.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        let position = self.next;
        self.next += 1;
        if let Some((before, _)) = self.variables.insert(name.clone(), (position, value.into())) {
            self.order.remove(&before);
        }
        self.order.insert(position, name);
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|(_, value)| value.as_str())
    }

    /// Forgets a variable.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some((position, _)) = self.variables.remove(name) {
            self.order.remove(&position);
        }
    }

    /// The names, by their latest assignment.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.order.values().map(String::as_str)
    }

    /// Names and values, by their latest assignment.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names().filter_map(|name| Some((name, self.get(name)?)))
    }
}

/// The `Env` list of an image config. An entry keeps its place when it is set again.
#[derive(Clone, Debug, Default)]
pub(crate) struct EnvironmentList {
    entries: Vec<String>,
    /// Where a name is for the first time; images of other builders may list one several times.
    places: HashMap<String, usize>,
}

impl EnvironmentList {
    /// The list of a base image, as it is.
    pub(crate) fn new(entries: Vec<String>) -> Self {
        let mut places = HashMap::new();
        for (place, entry) in entries.iter().enumerate() {
            places.entry(cut_entry(entry).0.to_owned()).or_insert(place);
        }
        Self { entries, places }
    }

    /// Assigns a variable.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let entry = format!("{name}={value}");
        if let Some(place) = self.places.get(name) {
            self.entries[*place] = entry;
        } else {
            self.places.insert(name.to_owned(), self.entries.len());
            self.entries.push(entry);
        }
    }

    /// Whether there is a variable of that name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Names and values in order; of a name that is listed several times the last one counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| cut_entry(entry))
    }

    /// The entries as the image config has them.
    pub(crate) fn into_entries(self) -> Vec<String> {
        self.entries
    }
}

/// One entry of the `Env` list of an image config, cut at the first `=`.
fn cut_entry(entry: &str) -> (&str, &str) {
    entry.split_once('=').unwrap_or((entry, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_set_again_moves_to_the_end() {
        let mut environment = Environment::default();
        environment.set("A", "1");
        environment.set("B", "2");
        environment.set("A", "3");
        assert_eq!(environment.iter().collect::<Vec<_>>(), [("B", "2"), ("A", "3")]);
        environment.remove("B");
        assert_eq!(environment.get("B"), None);
        assert_eq!(environment.names().collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn a_name_that_is_listed_twice_stays_so() {
        let mut list = EnvironmentList::new(vec!["A=1".to_owned(), "B".to_owned(), "A=2".to_owned()]);
        assert_eq!(list.iter().collect::<Vec<_>>(), [("A", "1"), ("B", ""), ("A", "2")]);
        list.set("A", "3");
        list.set("C", "");
        assert!(list.contains("B") && list.contains("C") && !list.contains("D"));
        assert_eq!(list.into_entries(), ["A=3", "B", "A=2", "C="]);
    }

    #[test]
    fn entries_are_cut_at_the_first_equals_sign() {
        assert_eq!(cut_entry("A=b=c"), ("A", "b=c"));
        assert_eq!(cut_entry("A"), ("A", ""));
    }
}
