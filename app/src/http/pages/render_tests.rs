//! Properties of all rendered pages.

use askama::Template as _;

use super::assets;

mod access_samples;
mod account_samples;
mod samples;

use samples::chart;

/// Every page with its name.
fn every_page() -> impl Iterator<Item = (&'static str, String)> {
    let pages = samples::pages().into_iter();
    pages
        .chain(account_samples::pages())
        .chain(access_samples::pages())
}

#[test]
fn no_page_contains_inline_script_or_style() {
    for (name, page) in every_page() {
        let scripts: Vec<&str> = page.split("<script").skip(1).collect();
        let has_passkeys = page.contains(" data-passkey=");
        let names = ["page", "passkey"];
        let expected = [1 + usize::from(has_passkeys), names.len()];
        assert!(expected.contains(&scripts.len()), "{name}");
        for (tag, script) in scripts.iter().zip(names) {
            assert!(
                tag.starts_with(&format!(" defer src=\"/assets/{script}."))
                    && tag.contains("></script>"),
                "{name}: {tag}"
            );
        }
        for forbidden in ["<style", " style=", " onclick", " onload", "javascript:"] {
            assert!(!page.contains(forbidden), "{name}: {forbidden}");
        }
    }
}

#[test]
fn every_page_has_a_main_landmark_a_skip_link_and_one_first_heading() {
    for (name, page) in every_page() {
        assert_eq!(page.matches("<main id=\"main\"").count(), 1, "{name}");
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert!(page.contains("href=\"#main\""), "{name}");
    }
}

#[test]
fn neither_titles_nor_urls_identify_a_patient() {
    for (name, page) in every_page() {
        let title = page
            .split("<title>")
            .nth(1)
            .unwrap()
            .split("</title>")
            .next()
            .unwrap();
        let urls = page
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        for text in urls.chain([title]) {
            for phi in ["Cruz", "Maria", "1962", "RC-0", "2c9e41aa", "4821", "mar"] {
                assert!(!text.contains(phi), "{name}: {text}");
            }
        }
    }
}

#[test]
fn no_form_sends_its_fields_in_a_url() {
    for (name, page) in every_page() {
        for form in page.split("<form").skip(1) {
            assert!(
                form.split('>').next().unwrap().contains("method=\"post\""),
                "{name}"
            );
        }
    }
}

#[test]
fn a_chart_without_clinical_records_says_so() {
    let page = chart(None).render().unwrap();
    assert!(page.contains("Demographics only") && !page.contains("class=\"record\""));
}

#[test]
#[ignore = "writes every page to target/pages, to be viewed in a browser"]
fn every_page_is_written_to_a_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/pages");
    std::fs::create_dir_all(format!("{folder}/assets")).unwrap();
    for (name, page) in every_page() {
        std::fs::write(format!("{folder}/{name}.html"), page).unwrap();
    }
    let css = include_str!("../../../assets/style.css");
    std::fs::write(format!("{folder}{}", assets::stylesheet()), css).unwrap();
    let script = include_str!("../../../assets/page.js");
    std::fs::write(format!("{folder}{}", assets::script()), script).unwrap();
    let icon = include_str!("../../../assets/favicon.svg");
    std::fs::write(format!("{folder}{}", assets::favicon()), icon).unwrap();
}
