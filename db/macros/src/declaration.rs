//! The parser of `table!`.

use quote::ToTokens as _;
use syn::Attribute;
use syn::Error;
use syn::Ident;
use syn::LitInt;
use syn::Result;
use syn::Token;
use syn::Type;
use syn::braced;
use syn::parse::Parse;
use syn::parse::ParseStream;

/// The declaration of a table.
pub(crate) struct Declaration {
    pub(crate) docs: Vec<Attribute>,
    /// The name of the row struct.
    pub(crate) row: Ident,
    /// The constant in `phi_types::tables`.
    pub(crate) table: Ident,
    /// The column whose id identifies the row in the audit log.
    pub(crate) identity: Ident,
    /// The name of the macro that selects rows; `None` for a table that is only read in joins.
    pub(crate) select: Option<Ident>,
    pub(crate) columns: Vec<Column>,
}

/// The declaration of a column.
pub(crate) struct Column {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) volatile: bool,
    pub(crate) tag: u16,
    pub(crate) name: Ident,
    pub(crate) value: Type,
}

impl Column {
    /// Whether the column's type is `String` or `Option<String>`.
    pub(crate) fn is_text(&self) -> bool {
        let value = self.value.to_token_stream().to_string();
        matches!(value.as_str(), "String" | "Option < String >")
    }
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let docs = input.call(Attribute::parse_outer)?;
        input.parse::<Token![pub]>()?;
        input.parse::<Token![struct]>()?;
        let row = input.parse()?;
        input.parse::<Token![:]>()?;
        let table = input.parse()?;
        input.parse::<Token![,]>()?;
        let identity = named(input, "row")?;
        let select = if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            Some(named(input, "select")?)
        } else {
            None
        };
        let content;
        braced!(content in input);
        let mut columns: Vec<Column> = Vec::new();
        while !content.is_empty() {
            let column: Column = content.parse()?;
            let before = columns.last().map_or(0, |column| column.tag);
            if column.tag <= before {
                let name = &column.name;
                return Err(Error::new(name.span(), "tags must ascend"));
            }
            columns.push(column);
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(Self {
            docs,
            row,
            table,
            identity,
            select,
            columns,
        })
    }
}

/// Parses `keyword name`.
fn named(input: ParseStream<'_>, keyword: &str) -> Result<Ident> {
    let found: Ident = input.parse()?;
    if found == keyword {
        input.parse()
    } else {
        Err(Error::new(
            found.span(),
            format!("expected `{keyword}` and a name"),
        ))
    }
}

impl Parse for Column {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let docs = input.call(Attribute::parse_outer)?;
        let volatile = input.peek(Ident);
        if volatile {
            let word: Ident = input.parse()?;
            if word != "volatile" {
                return Err(Error::new(
                    word.span(),
                    "expected a tag, or `volatile` and a tag",
                ));
            }
        }
        let tag = input.parse::<LitInt>()?.base10_parse()?;
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let value = input.parse()?;
        Ok(Self {
            docs,
            volatile,
            tag,
            name,
            value,
        })
    }
}
