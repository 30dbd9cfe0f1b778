//! `tribunal run --list`.

use std::fmt::Write;

use super::text::{DIM, STRONG, WIDTH, harmless, styled, wrapped};
use crate::run::Case;

/// Each scenario's file, tags, name and description; and how many there are.
pub fn listing(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        let tags = if case.tags.is_empty() {
            String::new()
        } else {
            format!("  [{}]", case.tags.join(", "))
        };
        let file = harmless(&case.file.to_string_lossy());
        put(&mut text, format_args!("{}{}", styled(STRONG, file), styled(DIM, harmless(&tags))));
        put(&mut text, format_args!("  {}", harmless(&case.name)));
        for line in case.description.iter().flat_map(|text| wrapped(text, WIDTH - 4)) {
            put(&mut text, format_args!("    {}", styled(DIM, harmless(&line))));
        }
    }
    let plural = if cases.len() == 1 { "" } else { "s" };
    put(&mut text, format_args!("{} scenario{plural}", cases.len()));
    text
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_names_file_tags_name_and_what_the_scenario_shows() {
        let case = Case {
            file: "scenarios/a.yaml".into(),
            name: "an accuser".to_owned(),
            tags: vec!["accuser".to_owned(), "chaos".to_owned()],
            description: Some("Shows this.".to_owned()),
            seed: None,
        };
        let text = anstream::adapter::strip_str(&listing(&[case])).to_string();
        let expected =
            "scenarios/a.yaml  [accuser, chaos]\n  an accuser\n    Shows this.\n1 scenario\n";
        assert_eq!(text, expected);
        assert_eq!(listing(&[]), "0 scenarios\n");
    }
}
