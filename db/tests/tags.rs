//! The tags, names and types of all authenticated columns are those of the checked-in list `tags.txt`.
//!
//! A tag and its type enter every stored MAC, so a line of the list is never changed or removed. A new column is a new
//! line with a new tag.

#[cfg(test)]
#[path = "tags/schema.rs"]
mod schema;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;

    use phi_types::AuthenticatedRow;
    use phi_types::ColumnType;
    use phi_types::KeyId;
    use phi_types::KeyState;
    use phi_types::OrganizationId;
    use phi_types::OwnerKind;
    use phi_types::Purpose;
    use phi_types::RowMac;
    use phi_types::Table;
    use phi_types::WrappedKey;
    use phi_types::authenticated_bytes;
    use phi_types::tables;

    /// The columns of `keys`, whose row is declared in `phi-types`, without a list of its columns.
    const KEYS: [(u16, &str, ColumnType); 14] = [
        (1, "id", ColumnType::Uuid),
        (2, "organization", ColumnType::Uuid),
        (3, "owner_kind", ColumnType::Number),
        (4, "owner", ColumnType::Bytes),
        (5, "purpose", ColumnType::Number),
        (6, "version", ColumnType::Number),
        (7, "root", ColumnType::Text),
        (8, "branch", ColumnType::Uuid),
        (9, "branch_version", ColumnType::Number),
        (10, "provider", ColumnType::Number),
        (11, "wrapped", ColumnType::Bytes),
        (12, "commitment", ColumnType::Bytes),
        (13, "state", ColumnType::Number),
        (14, "created_at", ColumnType::Time),
    ];

    /// The declared columns of one table.
    struct Declared {
        table: Table,
        columns: &'static [(u16, &'static str, ColumnType)],
        volatile: &'static [u16],
    }

    /// All authenticated tables, in ascending order of their tags.
    fn declared() -> Vec<Declared> {
        macro_rules! listed {
            ($($row:ident),*) => {
                vec![$(Declared {
                    table: <db::$row as AuthenticatedRow>::TABLE,
                    columns: db::$row::COLUMNS,
                    volatile: db::$row::VOLATILE,
                }),*]
            };
        }
        let mut listed = listed![
            OrganizationRow,
            OwnerRow,
            PersonRow,
            CredentialRow,
            AuthenticatorRow,
            SessionRow,
            ResourceRow,
            VersionRow,
            DemographicsRow,
            IndexVersionRow,
            ChangeRow,
            ChangeCounterRow,
            ReleaseFloorRow,
            ExportRow,
            CareTeamMemberRow,
            EmergencyAccessRow,
            ClientRow
        ];
        listed.push(Declared {
            table: tables::KEYS,
            columns: &KEYS,
            volatile: &[7, 8, 9, 10, 11],
        });
        listed.sort_unstable_by_key(|declared| declared.table.tag);
        listed
    }

    #[test]
    fn no_tag_changes_its_column_or_type() {
        let mut list = String::new();
        for Declared {
            table,
            columns,
            volatile,
        } in declared()
        {
            writeln!(list, "table {} {}", table.tag, table.name).unwrap();
            for (tag, name, kind) in columns {
                let volatile = if volatile.contains(tag) {
                    " volatile"
                } else {
                    ""
                };
                writeln!(list, "  {tag} {name} {kind:?}{volatile}").unwrap();
            }
        }
        assert!(
            list == include_str!("tags.txt"),
            "tags.txt lists other columns; a new column is a new line there, and no line changes:\n{list}"
        );
    }

    #[test]
    fn every_authenticated_table_is_listed() {
        let listed: Vec<Table> = declared().iter().map(|declared| declared.table).collect();
        assert_eq!(listed, tables::ALL);
    }

    #[test]
    fn a_key_is_encoded_as_listed() {
        let key = WrappedKey {
            id: KeyId::random(),
            organization: OrganizationId::random(),
            owner: [0; 16],
            owner_kind: OwnerKind::Organization,
            purpose: Purpose::Seal,
            version: 1,
            root: Some("root".to_owned()),
            branch: Some(KeyId::random()),
            branch_version: Some(1),
            provider: 0,
            wrapped: vec![1, 2, 3],
            commitment: [0; 32],
            state: KeyState::Current,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            mac: RowMac::UNSET,
        };
        let bytes = authenticated_bytes(&key, key.id);
        // The prefix: "row/2", the organization, the key's id and the table's tag.
        let mut rest = &bytes[5 + 16 + 16 + 2..];
        let mut found = Vec::new();
        while let [a, b, kind, c, d, e, f, after @ ..] = rest {
            found.push((u16::from_be_bytes([*a, *b]), *kind));
            let length = u32::from_be_bytes([*c, *d, *e, *f]);
            rest = &after[usize::try_from(length).unwrap()..];
        }
        assert!(rest.is_empty());
        let listed = KEYS.map(|(tag, _, kind)| (tag, kind.code()));
        assert_eq!(found, listed);
    }

    /// The MAC covers every column except the MAC, its key id, and `kid`, which the server derives from a sealed column.
    #[test]
    fn every_stored_column_of_an_authenticated_table_is_authenticated() {
        let stored = super::schema::columns();
        for Declared { table, columns, .. } in declared() {
            let expected: BTreeSet<&str> = columns
                .iter()
                .map(|(_, name, _)| *name)
                .chain(["mac_key", "mac"])
                .collect();
            let found = stored.iter().filter(|(name, _)| name == table.name);
            let found: BTreeSet<&str> = found.map(|(_, column)| column.as_str()).collect();
            let found: BTreeSet<&str> = found.into_iter().filter(|name| *name != "kid").collect();
            assert_eq!(found, expected, "{}", table.name);
        }
    }
}
