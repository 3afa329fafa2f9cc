//! What the catalog says of the types of columns, and of the functions in their defaults.
//!
//! Most columns have types that are the same in every database. Those are known here, which saves the
//! most expensive of the catalog's questions; [`tests`] holds them against the server's answer.

use std::collections::{HashMap, HashSet};

use crate::database::error::Error;
use crate::database::session::Session;
use crate::plan::{Answer, text};

/// What kind of values a type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// Its name without length or precision; for a domain, of the type it is made from.
    pub name: String,
    /// That with length or precision, when the domain sets one.
    pub exact: Option<String>,
    /// The object id of the type, or of what the domain is made from.
    pub base: u32,
    /// The modifier that the domain sets, or -1.
    pub modifier: i32,
    /// Whether the domain is NOT NULL.
    pub not_null: bool,
    /// Whether it holds arrays.
    pub is_array: bool,
    /// Whether the type is a domain.
    pub is_domain: bool,
    /// Whether it holds arrays of domains.
    pub holds_domains: bool,
    /// What values are compared as when the type has no `=` of its own.
    pub compared_as: Option<String>,
    /// The default of the domain, as an expression.
    pub default: Option<String>,
    /// Whether that default is the same each time.
    pub is_default_fixed: bool,
    /// The labels of an enum type, in order.
    pub labels: Option<Vec<String>>,
}

/// What is known of types and functions by their object ids.
#[derive(Debug, Default)]
pub struct Details {
    kinds: HashMap<u32, Kind>,
    /// Functions that may give another answer next time, among those that were asked for.
    varying: HashSet<u32>,
}

impl Details {
    /// What the columns and defaults among these rows need: see the queries of the catalog. The server is
    /// asked only for what is not well known.
    pub fn read(session: &mut Session, answer: &Answer) -> Result<Details, Error> {
        let columns = answer.iter().filter(|row| text(row, 0) == "column");
        let defaults = answer.iter().filter(|row| text(row, 0) == "default");
        let mut types: Vec<u32> = columns.filter_map(|row| text(row, 5).parse().ok()).collect();
        let mut functions: Vec<u32> = defaults.flat_map(|row| functions_of(text(row, 4))).collect();
        for asked in [&mut types, &mut functions] {
            asked.sort_unstable();
            asked.dedup();
        }
        let mut details = Details::well_known(&types);
        types.retain(|id| !details.kinds.contains_key(id));
        functions.retain(|id| !VARYING.contains(id));
        if !types.is_empty() || !functions.is_empty() {
            let sql = ASK.replace("{types}", &array(&types)).replace("{functions}", &array(&functions));
            let answer = session.simple(sql, session.limits.statement)?;
            let unread = || Error::Unfit("the catalog's types cannot be read".to_owned());
            details.add(&answer).ok_or_else(unread)?;
        }
        Ok(details)
    }

    /// The kind of values of a type.
    pub fn kind(&self, type_id: u32) -> Option<&Kind> {
        self.kinds.get(&type_id)
    }

    /// Whether an expression has the same value each time. Given is the form in which the server stores
    /// it (`pg_node_tree`).
    pub fn is_fixed(&self, stored: &str) -> bool {
        const NODES_THAT_VARY: [&str; 3] = ["SQLVALUEFUNCTION", "NEXTVALUEEXPR", "COERCEVIAIO"];
        !NODES_THAT_VARY.iter().any(|node| stored.contains(node))
            && !functions_of(stored).any(|id| VARYING.contains(&id) || self.varying.contains(&id))
    }

    fn well_known(types: &[u32]) -> Details {
        let kinds = types.iter().filter_map(|id| Some((*id, well_known(*id)?)));
        Details { kinds: kinds.collect(), ..Details::default() }
    }

    /// Adds an answer; `None` if it is not of the form that was asked for.
    fn add(&mut self, answer: &Answer) -> Option<()> {
        let of = |tag: &'static str| answer.iter().filter(move |row| text(row, 0) == tag);
        let mut labels: HashMap<u32, Vec<String>> = HashMap::new();
        for row in of("label") {
            labels.entry(text(row, 1).parse().ok()?).or_default().push(text(row, 2).to_owned());
        }
        for row in of("type") {
            let base = text(row, 4).parse().ok()?;
            let kind = Kind {
                name: text(row, 2).to_owned(),
                exact: row.get(3)?.clone(),
                base,
                modifier: text(row, 5).parse().ok()?,
                not_null: text(row, 6) == "t",
                is_array: text(row, 7) == "t",
                is_domain: text(row, 8) == "t",
                holds_domains: text(row, 9) == "t",
                compared_as: row.get(10)?.clone(),
                default: row.get(11)?.clone(),
                is_default_fixed: text(row, 12) == "t",
                labels: labels.get(&base).cloned(),
            };
            self.kinds.insert(text(row, 1).parse().ok()?, kind);
        }
        for row in of("varying") {
            self.varying.insert(text(row, 1).parse().ok()?);
        }
        Some(())
    }
}

fn well_known(type_id: u32) -> Option<Kind> {
    let (base, array, name) =
        WELL_KNOWN.iter().find(|(base, array, _)| [*base, *array].contains(&type_id))?;
    let is_array = type_id == *array;
    Some(Kind {
        name: if is_array { format!("{name}[]") } else { (*name).to_owned() },
        exact: None,
        base: if is_array { *array } else { *base },
        modifier: -1,
        not_null: false,
        is_array,
        is_domain: false,
        holds_domains: false,
        compared_as: None,
        default: None,
        is_default_fixed: false,
        labels: None,
    })
}

/// The functions in an expression, as the server stores it.
fn functions_of(stored: &str) -> impl Iterator<Item = u32> {
    let mut words = stored.split_ascii_whitespace();
    std::iter::from_fn(move || {
        words.find(|word| matches!(*word, ":funcid" | ":opfuncid"))?;
        words.next()?.trim_end_matches(['}', ')']).parse().ok()
    })
}

fn array(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    format!("'{{{}}}'::oid[]", ids.join(","))
}

/// Types that have an `=` of their own: their object ids, those of their arrays, and their names. These
/// ids are part of the protocol and never change.
const WELL_KNOWN: [(u32, u32, &str); 20] = [
    (16, 1000, "boolean"),
    (17, 1001, "bytea"),
    (20, 1016, "bigint"),
    (21, 1005, "smallint"),
    (23, 1007, "integer"),
    (25, 1009, "text"),
    (26, 1028, "oid"),
    (700, 1021, "real"),
    (701, 1022, "double precision"),
    (869, 1041, "inet"),
    (1042, 1014, "bpchar"),
    (1043, 1015, "character varying"),
    (1082, 1182, "date"),
    (1083, 1183, "time without time zone"),
    (1114, 1115, "timestamp without time zone"),
    (1184, 1185, "timestamp with time zone"),
    (1186, 1187, "interval"),
    (1700, 1231, "numeric"),
    (2950, 2951, "uuid"),
    (3802, 3807, "jsonb"),
];

/// `now()`, `nextval(regclass)` and `gen_random_uuid()`, the functions that defaults mostly are.
const VARYING: [u32; 3] = [1299, 1574, 3432];

/// `format_type(type, -1)` names a type so that a cast to it cuts nothing; `format_type(type, NULL)`
/// would name `character`, which means `character(1)`. A domain is read as the type it is made from,
/// because a cast to the domain would cut by the domain's length.
const ASK: &str = "with recursive steps(id, oid, modifier, not_null) as (
  select q.oid, q.oid, -1, false from (
    select a.oid from unnest({types}) a(oid)
    union select t.typelem from unnest({types}) a(oid) join pg_catalog.pg_type t on t.oid = a.oid and t.typcategory = 'A') q
  union all
  select s.id, t.typbasetype, t.typtypmod, s.not_null or t.typnotnull
  from steps s join pg_catalog.pg_type t on t.oid = s.oid and t.typtype = 'd'
),
bases as (select s.*, t.typelem, t.typcategory = 'A' as is_array from steps s join pg_catalog.pg_type t on t.oid = s.oid and t.typtype <> 'd')
select 'type', b.id, case when e.id <> e.oid then format_type(e.oid, -1) || '[]' else format_type(b.oid, -1) end,
  case when b.modifier <> -1 then format_type(b.oid, b.modifier) end, b.oid, b.modifier, b.not_null, b.is_array, b.id <> b.oid,
  coalesce(e.id <> e.oid, false), case
    when k.oid = 114 then case when b.is_array then 'jsonb[]' else 'jsonb' end
    when k.typtype not in ('e', 'r', 'm') and not exists (
      select from pg_catalog.pg_opclass q join pg_catalog.pg_am m on m.oid = q.opcmethod
      where m.amname in ('btree', 'hash') and q.opcdefault and (q.opcintype = k.oid or q.opcintype in (
        select f.casttarget from pg_catalog.pg_cast f where f.castsource = k.oid and f.castmethod = 'b' and f.castcontext = 'i')))
    then 'text' end,
  pg_get_expr(d.typdefaultbin, 0),
  d.typdefaultbin::text !~ 'SQLVALUEFUNCTION|NEXTVALUEEXPR|COERCEVIAIO' and not exists (
    select from regexp_matches(d.typdefaultbin::text, ':(?:funcid|opfuncid) ([0-9]+)', 'g') f
    join pg_catalog.pg_proc p on p.oid = f[1]::oid and p.provolatile <> 'i')
from bases b left join bases e on b.is_array and e.id = b.typelem
join pg_catalog.pg_type k on k.oid = coalesce(e.oid, case when b.is_array then b.typelem end, b.oid)
join pg_catalog.pg_type d on d.oid = b.id;
select 'label', e.enumtypid, e.enumlabel from pg_catalog.pg_enum e
where e.enumtypid = any ({types}) or e.enumtypid in (select typbasetype from pg_catalog.pg_type where oid = any ({types}))
order by e.enumtypid, e.enumsortorder;
select 'varying', p.oid from pg_catalog.pg_proc p where p.oid = any ({functions}) and p.provolatile <> 'i'";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::database::clock::Clock;
    use crate::database::dsn::Dsn;
    use crate::database::session::Limits;
    use crate::database::throwaway::Throwaway;

    #[test]
    fn the_server_says_the_same_of_what_is_well_known() {
        let binaries = std::env::var_os("SEEDBED_POSTGRES_BIN").map(std::path::PathBuf::from);
        let server = Throwaway::start(binaries.as_deref(), None).unwrap();
        let socket = server.socket_directory().to_string_lossy().replace('/', "%2F");
        let dsn = Dsn::parse(&format!("postgresql://postgres@{socket}/postgres"), &|_| None).unwrap();
        let minute = Duration::from_secs(60);
        let limits = Limits {
            connect: minute,
            statement: minute,
            migration: minute,
            lock: minute,
            runner: minute,
            grace: minute,
        };
        let mut session = Session::open(&dsn, "seedbed", None, limits, &Clock::start(minute)).unwrap();

        let types: Vec<u32> = WELL_KNOWN.iter().flat_map(|(base, array, _)| [*base, *array]).collect();
        let ask = ASK.replace("{types}", &array(&types)).replace("{functions}", &array(&VARYING));
        let mut told = Details::default();
        told.add(&session.simple(ask, minute).unwrap()).unwrap();

        assert_eq!(told.kinds, Details::well_known(&types).kinds);
        assert_eq!(told.varying, HashSet::from(VARYING));
    }

    #[test]
    fn functions_are_found_in_what_the_server_stores() {
        let stored = "{FUNCEXPR :funcid 1574 :args ({OPEXPR :opno 551 :opfuncid 177 :opresulttype 23})}";
        assert_eq!(functions_of(stored).collect::<Vec<_>>(), [1574, 177]);
    }

    #[test]
    fn what_asks_the_clock_is_not_fixed() {
        let details = Details { varying: HashSet::from([2001]), ..Details::default() };
        assert!(details.is_fixed("{CONST :consttype 23 :constvalue 4 [ 1 0 0 0 ]}"));
        assert!(details.is_fixed("{FUNCEXPR :funcid 870}"));
        for varies in ["{FUNCEXPR :funcid 1299}", "{FUNCEXPR :funcid 2001}", "{SQLVALUEFUNCTION :op 3}"] {
            assert!(!details.is_fixed(varies), "{varies}");
        }
    }
}
