//! The expansion of `table!`.

use proc_macro2::Ident;
use proc_macro2::TokenStream;
use quote::format_ident;
use quote::quote;

use crate::declaration::Column;
use crate::declaration::Declaration;

pub(crate) fn expand(declaration: &Declaration) -> TokenStream {
    let parts = [
        row_struct(declaration),
        authenticated(declaration),
        record(declaration),
        stored(declaration),
        select(declaration),
        scrubbed(declaration),
    ];
    parts.into_iter().collect()
}

/// The public row struct.
fn row_struct(declaration: &Declaration) -> TokenStream {
    let Declaration { docs, row, .. } = declaration;
    let fields = declaration.columns.iter().map(|column| {
        let Column {
            docs, name, value, ..
        } = column;
        quote! { #(#docs)* pub #name: #value, }
    });
    quote! {
        #(#docs)*
        #[derive(Clone, Debug)]
        pub struct #row {
            #(#fields)*
            /// The MAC over all other columns.
            pub mac: ::phi_types::RowMac,
        }
    }
}

/// `AuthenticatedRow`, and the list of columns by which a test holds tags and types constant.
fn authenticated(declaration: &Declaration) -> TokenStream {
    let Declaration {
        row,
        table,
        identity,
        ..
    } = declaration;
    let encoded = declaration.columns.iter().map(|column| {
        let Column { name, tag, .. } = column;
        let method = if column.volatile {
            format_ident!("volatile")
        } else {
            format_ident!("column")
        };
        quote! { columns.#method(#tag, &self.#name); }
    });
    let listed = declaration.columns.iter().map(|column| {
        let Column {
            name, tag, value, ..
        } = column;
        let name = name.to_string();
        quote! { (#tag, #name, <#value as ::phi_types::ColumnValue>::TYPE), }
    });
    let volatile = declaration.columns.iter().filter(|column| column.volatile);
    let volatile = volatile.map(|column| column.tag);
    quote! {
        impl ::phi_types::AuthenticatedRow for #row {
            const TABLE: ::phi_types::Table = ::phi_types::tables::#table;

            fn organization(&self) -> ::phi_types::OrganizationId {
                self.organization
            }

            fn row_id(&self) -> ::uuid::Uuid {
                crate::stored::RowIdentity::uuid(self.#identity)
            }

            fn encode(&self, columns: &mut ::phi_types::ColumnEncoder) {
                #(#encoded)*
            }

            fn mac(&self) -> &::phi_types::RowMac {
                &self.mac
            }

            fn set_mac(&mut self, mac: ::phi_types::RowMac) {
                self.mac = mac;
            }
        }

        impl #row {
            /// The columns that enter the MAC: permanent tag, name and type.
            pub const COLUMNS: &[(u16, &str, ::phi_types::ColumnType)] = &[#(#listed)*];

            /// The tags of the columns that do not enter the digest.
            pub const VOLATILE: &[u16] = &[#(#volatile),*];
        }
    }
}

fn record_name(declaration: &Declaration) -> Ident {
    format_ident!("{}Record", declaration.row)
}

/// The struct of a row as the driver returns it.
fn record(declaration: &Declaration) -> TokenStream {
    let row = &declaration.row;
    let record = record_name(declaration);
    let fields = declaration.columns.iter().map(|column| {
        let Column { name, value, .. } = column;
        quote! { pub(crate) #name: <#value as crate::stored::StoredValue>::Raw, }
    });
    let read = declaration.columns.iter().map(|column| {
        let Column { name, value, .. } = column;
        quote! {
            #name: <#value as crate::stored::StoredValue>::from_raw(record.#name)
                .ok_or(crate::Error::Corrupt(table))?,
        }
    });
    quote! {
        /// A row as the driver returns it.
        pub(crate) struct #record {
            #(#fields)*
            pub(crate) mac_key: ::uuid::Uuid,
            pub(crate) mac: ::std::vec::Vec<u8>,
        }

        impl ::core::convert::TryFrom<#record> for #row {
            type Error = crate::Error;

            fn try_from(record: #record) -> ::core::result::Result<Self, crate::Error> {
                let table = <Self as ::phi_types::AuthenticatedRow>::TABLE.name;
                Ok(Self {
                    #(#read)*
                    mac: crate::stored::row_mac(table, record.mac_key, &record.mac)?,
                })
            }
        }
    }
}

/// `StoredRow`: insertion.
fn stored(declaration: &Declaration) -> TokenStream {
    let row = &declaration.row;
    let names: Vec<String> = declaration
        .columns
        .iter()
        .map(|column| column.name.to_string())
        .collect();
    let table = table_name(declaration);
    let insert = format!("INSERT INTO {table} ({}, mac_key, mac) ", names.join(", "));
    let bound = declaration.columns.iter().map(|column| {
        let Column { name, value, .. } = column;
        quote! {
            values.push_bind(<#value as crate::stored::StoredValue>::to_raw(&self.#name));
        }
    });
    let columns = declaration.columns.len() + 2;
    let sizes = declaration.columns.iter().map(|column| {
        let Column { name, value, .. } = column;
        quote! { + <#value as crate::stored::StoredValue>::size(&self.#name) }
    });
    quote! {
        impl crate::stored::StoredRow for #row {
            const INSERT: &'static str = #insert;
            const COLUMNS: usize = #columns;

            fn bind(
                &self,
                values: &mut ::sqlx::query_builder::Separated<'_, ::sqlx::MySql, &'static str>,
            ) {
                #(#bound)*
                values.push_bind(self.mac.key().uuid());
                values.push_bind(&self.mac.as_bytes()[..]);
            }

            fn size(&self) -> usize {
                64 #(#sizes)*
            }
        }
    }
}

/// The macro that is `sqlx::query_as!` with the SELECT list filled in, if one is declared.
fn select(declaration: &Declaration) -> TokenStream {
    let Some(macro_name) = &declaration.select else {
        return TokenStream::new();
    };
    let record = record_name(declaration);
    let text = select_text(declaration);
    quote! {
        macro_rules! #macro_name {
            ($rest:tt $(, $argument:expr)* $(,)?) => {
                ::sqlx::query_as!(#record, #text + $rest $(, $argument)*)
            };
        }
    }
}

/// `ScrubbedRow`: reading all rows of the table, page by page.
fn scrubbed(declaration: &Declaration) -> TokenStream {
    let Declaration { row, identity, .. } = declaration;
    let record = record_name(declaration);
    let text = format!(
        "{}WHERE t.{identity} >= ? ORDER BY t.{identity} LIMIT ?",
        select_text(declaration)
    );
    quote! {
        impl crate::scrub::ScrubbedRow for #row {
            async fn page(
                database: &crate::Database,
                from: ::uuid::Uuid,
                limit: u32,
            ) -> ::core::result::Result<::std::vec::Vec<Self>, crate::Error> {
                let records = ::sqlx::query_as!(#record, #text, from, limit)
                    .fetch_all(&database.pool)
                    .await?;
                let rows = records.into_iter().map(Self::try_from);
                crate::scrub::in_order(rows.collect::<::core::result::Result<_, _>>()?, from)
            }
        }
    }
}

/// The beginning of a SELECT statement: the list, and the table under the name `t`.
fn select_text(declaration: &Declaration) -> String {
    let selected = declaration.columns.iter().map(|column| {
        // The driver treats text of a binary collation as bytes, and decodes it as text only with this override.
        let text = column.is_text();
        (column.name.to_string(), if text { "String" } else { "_" })
    });
    let macs = ["mac_key", "mac"].map(|name| (name.to_owned(), "_"));
    let list: Vec<String> = selected
        .chain(macs)
        .map(|(name, value)| format!("t.{name} AS `{name}: {value}`"))
        .collect();
    format!(
        "SELECT {} FROM {} t ",
        list.join(", "),
        table_name(declaration)
    )
}

fn table_name(declaration: &Declaration) -> String {
    declaration.table.to_string().to_lowercase()
}
