//! The page that shows a form again that was sent after the end of its session.

use access::NotPhi;
use askama::Template;
use http::StatusCode;
use url::form_urlencoded;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::html::Html;
use super::layout::Layout;
use crate::services::kept_forms::KeptForm;

/// The page of a kept form, which its person sends by one button.
#[derive(Template)]
#[template(path = "kept_form.html")]
pub(crate) struct KeptFormPage {
    layout: Layout,
    /// The path to which the form is sent.
    path: String,
    fields: Vec<Field>,
}

/// A field of the form.
struct Field {
    name: String,
    value: Zeroizing<String>,
}

impl Field {
    /// What the page calls the field.
    fn label(&self) -> String {
        match self.name.as_str() {
            "q" => "Search".to_owned(),
            "email" => "E-mail".to_owned(),
            name => name.replace('_', " "),
        }
    }

    /// Whether the person has typed or chosen the value. Ids are parts of the page.
    fn is_shown(&self) -> bool {
        !self.value.is_empty() && Uuid::try_parse(&self.value).is_err()
    }
}

impl KeptFormPage {
    /// The page of a form.
    pub(crate) fn new(form: KeptForm) -> Self {
        let fields = form_urlencoded::parse(&form.fields);
        let fields = fields.map(|(name, value)| Field {
            name: name.into_owned(),
            value: Zeroizing::new(value.into_owned()),
        });
        Self {
            layout: Layout {
                title: "Your form was kept",
                user: None,
            },
            fields: fields.collect(),
            path: form.path,
        }
    }
}

/// The response with the page.
pub(super) fn page(form: KeptForm) -> Html<KeptFormPage> {
    let page = NotPhi::assert(KeptFormPage::new(form), "what the same person has typed");
    Html::not_phi(StatusCode::OK, page)
}
