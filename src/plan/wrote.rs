//! What a transaction has written, by table, as the server counts it.

/// A row count by table: what a transaction wrote, triggers and cascades included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Rows inserted, updated, deleted.
    pub rows: [u64; 3],
}

/// A table's schema and name.
pub type Named = (String, String);

/// Everything that a transaction has written so far, and what its deferred triggers have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// By table; of a partitioned one by partition.
    pub tables: Vec<Wrote>,
    /// Partitions that were written to, each with a table that it is a part of.
    pub parts: Vec<(Named, Named)>,
    /// Tables whose rows nobody counts: they were emptied by TRUNCATE, rewritten, or dropped.
    pub remade: Vec<Named>,
    /// Whether the server counts at all.
    pub is_counted: bool,
}

impl Written {
    /// What a transaction has written of which nothing is kept.
    pub fn nothing() -> Written {
        Written { is_counted: true, ..Written::default() }
    }
}

impl Wrote {
    /// The table as it is shown.
    pub fn name(&self) -> String {
        shown(&self.schema, &self.table)
    }

    /// The table and its counts: `employees +2 ~1 -3`.
    pub fn words(&self) -> String {
        let counts = self.rows.iter().zip(["+", "~", "-"]).filter(|(rows, _)| **rows > 0);
        let counts: Vec<String> = counts.map(|(rows, sign)| format!("{sign}{rows}")).collect();
        format!("{} {}", self.name(), counts.join(" "))
    }
}

/// A table as it is shown: without the schema that everybody has.
pub fn shown(schema: &str, table: &str) -> String {
    match schema {
        "public" => table.to_owned(),
        schema => format!("{schema}.{table}"),
    }
}
