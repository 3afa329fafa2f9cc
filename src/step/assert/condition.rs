//! Matchers as SQL: conditions on a value, by its type. They are true or false, never NULL.

use std::sync::Arc;

use super::cell;
use super::equality::{form, is_number};
use crate::plan::Statement;
use crate::plan::description::{Kind, Type};
use crate::plan::quote::literal;
use crate::plan::staged::Expression;
use crate::project::diagnostic::Diagnostic;
use crate::project::matcher::{self, Matcher, Side, from_now, interval_within};
use crate::project::source::{Place, Source};
use crate::project::value::json_text;
use crate::project::yaml::{Content, Entry, Node};

/// Writes conditions into a statement.
pub struct Conditions<'a> {
    /// Takes the values.
    pub statement: &'a mut Statement,
    /// The file they stand in.
    pub source: &'a Arc<Source>,
    /// The run's time.
    pub now: &'a str,
    /// The column.
    pub name: &'a str,
}

/// One edge of a stretch of values.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'n> {
    /// The value, or the middle of the stretch.
    pub node: &'n Node,
    /// How far from there the edge is.
    pub width: Width<'n>,
    /// Which side of it is meant.
    pub side: Side,
    /// The matcher that says so.
    pub word: &'static str,
}

/// How far an edge is from the value that is named.
#[derive(Debug, Clone, Copy)]
pub enum Width<'n> {
    /// It is the value.
    None,
    /// This number, or a millionth of the value.
    Number(Option<&'n Node>),
    /// This interval, or a few seconds.
    Time(Option<&'n Node>),
}

/// The edges that a matcher sets, if that is what it does.
pub fn edges<'n>(matcher: &Matcher<'n>) -> Vec<Edge<'n>> {
    let both = |low: &'n Node, high: &'n Node, width, word| {
        let side = |is_above| Side { is_above, is_closed: true };
        vec![
            Edge { node: low, width, side: side(true), word },
            Edge { node: high, width, side: side(false), word },
        ]
    };
    match *matcher {
        Matcher::Beyond(side, node) => {
            let word = if side.is_above { "$gt" } else { "$lt" };
            vec![Edge { node, width: Width::None, side, word }]
        }
        Matcher::Between(low, high) => both(low, high, Width::None, "$between"),
        Matcher::Approx(node, within) => both(node, node, Width::Number(within), "$approx"),
        Matcher::Near(node, within) => both(node, node, Width::Time(within), "$near"),
        _ => Vec::new(),
    }
}

/// The type in which values of a type are put in order.
pub fn ordering(sql_type: &Type) -> &str {
    match sql_type.sql.as_str() {
        "int2" | "int4" | "int8" | "numeric" => "numeric",
        "float4" | "float8" => "float8",
        "date" => "timestamp",
        "time" => "interval",
        other => other,
    }
}

/// The value of an edge in SQL, from the text of its value, an interval from there and its width.
pub fn edge(sql_type: &Type, side: Side, text: &str, shift: &str, width: &str) -> String {
    let to = ordering(sql_type);
    let sign = if side.is_above { '-' } else { '+' };
    match sql_type.sql.as_str() {
        "date" | "timestamp" | "timestamptz" => {
            let read = if sql_type.sql == "date" { "timestamp" } else { to };
            format!("({text}::{read} + {shift}::interval {sign} {width}::interval)")
        }
        "time" => format!("({text}::time::interval {sign} {width}::interval)"),
        // Its own type decides, as far as that reaches: 0.1 is not the same in both.
        "float4" => {
            let own = format!(
                "(case when abs({text}::float8) between 1e-37 and 3e38 then {text}::float4::float8 else {text}::float8 end)"
            );
            let millionth = format!("greatest(abs({own}) * 1e-6, 1e-12)");
            format!("({own} {sign} coalesce({width}::{to}, {millionth}))")
        }
        _ if is_number(sql_type) => {
            let millionth = format!("greatest(abs({text}::{to}) * 1e-6, 1e-12)");
            format!("({text}::{to} {sign} coalesce({width}::{to}, {millionth}))")
        }
        _ => format!("{text}::{to}"),
    }
}

/// The texts of an edge: its value, an interval from there, and its width; NULL for a width that follows
/// from the value.
pub fn edge_texts(edge: &Edge, now: &str) -> [Option<String>; 3] {
    let (text, shift) = match (&edge.node.content, from_now(edge.node)) {
        (_, Some(interval)) => (now.to_owned(), interval),
        (Content::Scalar(text, _), None) => (text.clone(), "0".to_owned()),
        _ => (String::new(), "0".to_owned()),
    };
    let width = match edge.width {
        Width::None => Some("0".to_owned()),
        Width::Number(None) => None,
        Width::Number(Some(Node { content: Content::Scalar(text, _), .. })) => Some(text.clone()),
        Width::Number(Some(_)) => Some("0".to_owned()),
        Width::Time(within) => Some(interval_within(within)),
    };
    [Some(text), Some(shift), width]
}

/// Why values of a type have no such edge, if they have none.
pub fn misplaced(edge: &Edge, sql_type: &Type) -> Option<String> {
    let is_of_time = matches!(sql_type.sql.as_str(), "date" | "timestamp" | "timestamptz" | "time");
    match edge.width {
        Width::Number(_) if !is_number(sql_type) => Some("numbers".to_owned()),
        Width::Time(_) if !is_of_time => Some("dates and times".to_owned()),
        Width::None if from_now(edge.node).is_some() && !(is_of_time && sql_type.sql != "time") => {
            Some("dates and times, where it is followed by `$now`".to_owned())
        }
        Width::None if !has_order(sql_type) => Some("types whose values have an order".to_owned()),
        _ => None,
    }
}

/// Whether values of a type can be put in order, as far as that is known.
fn has_order(sql_type: &Type) -> bool {
    let unordered = ["xml", "point", "line", "lseg", "box", "path", "polygon", "xid", "cid"];
    sql_type.kind != Kind::Json && !unordered.contains(&sql_type.sql.as_str())
}

impl Conditions<'_> {
    /// The condition that `value`, an SQL expression of that type, is what a node says: a value, a matcher,
    /// or JSON or a list with matchers in it.
    pub fn of(&mut self, value: &str, sql_type: &Type, node: &Node) -> Result<String, Diagnostic> {
        if let Some(matchers) = matcher::all(node) {
            let parts = matchers.iter().map(|matcher| self.one(value, sql_type, matcher, node));
            return Ok(format!("({})", parts.collect::<Result<Vec<_>, _>>()?.join(" and ")));
        }
        match (&node.content, &sql_type.kind) {
            (Content::Null, _) => Ok(format!("({value} is null)")),
            (_, Kind::Json) if matcher::is_in(node) => {
                let inner = self.json(&format!("({value})::jsonb"), node)?;
                Ok(format!("({value} is not null and {inner})"))
            }
            (Content::List(items), Kind::Array(element)) if matcher::is_in(node) => {
                self.elements(value, element, items)
            }
            _ if matcher::is_in(node) => Err(self.refused(
                node,
                sql_type,
                "matchers inside of a list or map are for json and array columns",
            )),
            _ => {
                let argument = self.argument(node, sql_type)?;
                Ok(format!("({} is not distinct from {})", form(value, sql_type), form(&argument, sql_type)))
            }
        }
    }

    /// A value of the author's, as an expression of that type.
    fn argument(&mut self, node: &Node, sql_type: &Type) -> Result<String, Diagnostic> {
        let place = Place::new(self.source, node.span);
        let text = cell::text(node, sql_type, self.name, &place)?;
        Ok(format!("{}::{}", self.bind(node, text, &sql_type.sql), sql_type.sql))
    }

    /// Binds a text, which may be looked for when the server does not take it.
    fn bind(&mut self, node: &Node, text: Option<String>, type_name: &str) -> String {
        if let Some(text) = &text {
            let place = Place::new(self.source, node.span);
            self.statement.staged.add(text, type_name, place, self.name);
        }
        self.list(vec![text])
    }

    fn list(&mut self, texts: Vec<Option<String>>) -> String {
        format!("({}::text[])[1]", self.statement.bind_list(texts))
    }

    fn refused(&self, node: &Node, sql_type: &Type, words: &str) -> Diagnostic {
        let message = format!("`{}` is of type {}, and {words}", self.name, sql_type.sql);
        Diagnostic::error(message).at(self.source, node.span)
    }

    fn one(
        &mut self,
        value: &str,
        sql_type: &Type,
        matcher: &Matcher,
        node: &Node,
    ) -> Result<String, Diagnostic> {
        // NULL itself is no JSON: these three ask each of their values by itself.
        let is_of_values = matches!(matcher, Matcher::Any | Matcher::OneOf(_) | Matcher::Not(_));
        if sql_type.kind == Kind::Json && !is_of_values {
            let inner = self.json_one(&format!("({value})::jsonb"), matcher)?;
            return Ok(format!("coalesce({inner}, false)"));
        }
        Ok(match *matcher {
            Matcher::Any => "true".to_owned(),
            Matcher::NotNull => format!("({value} is not null)"),
            Matcher::Matches(pattern) => {
                let pattern = self.pattern(pattern);
                format!("coalesce(({value})::text ~ {pattern}, false)")
            }
            Matcher::OneOf(items) => self.either(items, &mut |this, item| this.of(value, sql_type, item))?,
            Matcher::Not(inner) => format!("(not {})", self.of(value, sql_type, inner)?),
            Matcher::Len(wanted) => {
                let length = match (&sql_type.kind, sql_type.sql.as_str()) {
                    (Kind::Array(_), _) => format!("cardinality({value})"),
                    (_, "bytea") => format!("octet_length({value})"),
                    (_, "text" | "varchar" | "bpchar" | "name" | "public.citext" | "bit" | "varbit") => {
                        format!("length({value})")
                    }
                    _ => {
                        let words = "`$len` is for texts, arrays, bytes and JSON";
                        return Err(self.refused(node, sql_type, words));
                    }
                };
                format!("({length} is not null and {})", self.of(&length, &integer(), wanted)?)
            }
            Matcher::Contains(part) => match (&sql_type.kind, &part.content) {
                (Kind::Array(_), Content::List(_)) => {
                    format!("coalesce({value} @> {}, false)", self.argument(part, sql_type)?)
                }
                (Kind::Array(element), _) => {
                    let part = self.argument(part, element)?;
                    let (of, wanted) = (form("e", element), form(&part, element));
                    format!(
                        "exists (select from unnest({value}) as e where {of} is not distinct from {wanted})"
                    )
                }
                (Kind::Range(of) | Kind::Multirange(of), Content::Scalar(text, _))
                    if !text.trim_start().starts_with(['[', '(', '{', 'e']) =>
                {
                    format!("coalesce({value} @> {}, false)", self.argument(part, of)?)
                }
                (Kind::Range(_) | Kind::Multirange(_), Content::Scalar(..)) => {
                    format!("coalesce({value} @> {}, false)", self.argument(part, sql_type)?)
                }
                (Kind::Plain, Content::Scalar(text, _)) if has_text(sql_type) => {
                    let part = self.list(vec![Some(text.clone())]);
                    format!("coalesce(position({part} in ({value})::text) > 0, false)")
                }
                _ => {
                    let words = "`$contains` is for texts, arrays, ranges and JSON";
                    return Err(self.refused(node, sql_type, words));
                }
            },
            Matcher::Beyond(..) | Matcher::Between(..) | Matcher::Approx(..) | Matcher::Near(..) => {
                self.inside(value, sql_type, &edges(matcher))?
            }
        })
    }

    /// A regular expression, which may be looked for when the server does not take it.
    fn pattern(&mut self, node: &Node) -> String {
        let Content::Scalar(text, _) = &node.content else { return "''".to_owned() };
        self.statement.staged.expressions.push(Expression {
            sql: format!("'' ~ {}", literal(text)),
            type_name: "bool".to_owned(),
            place: Place::new(self.source, node.span),
            what: self.name.to_owned(),
        });
        self.list(vec![Some(text.clone())])
    }

    /// That a value lies between edges.
    fn inside(&mut self, value: &str, sql_type: &Type, edges: &[Edge]) -> Result<String, Diagnostic> {
        let mut parts = Vec::new();
        for it in edges {
            if let Some(what) = misplaced(it, sql_type) {
                return Err(self.refused(it.node, sql_type, &format!("`{}` is for {what}", it.word)));
            }
            let [text, shift, width] = edge_texts(it, self.now);
            let read = if sql_type.sql == "time" { "time" } else { ordering(sql_type) };
            let text = self.bind(it.node, text, read);
            let (shift, width) = (self.list(vec![shift]), self.list(vec![width]));
            let edge = edge(sql_type, it.side, &text, &shift, &width);
            parts.push(format!("({value})::{} {} {edge}", ordering(sql_type), it.side.operator()));
        }
        Ok(format!("coalesce({}, false)", parts.join(" and ")))
    }

    fn either(
        &mut self,
        items: &[Node],
        of: &mut dyn FnMut(&mut Self, &Node) -> Result<String, Diagnostic>,
    ) -> Result<String, Diagnostic> {
        let parts = items.iter().map(|item| of(self, item)).collect::<Result<Vec<_>, _>>()?;
        Ok(format!("({})", parts.join(" or ")))
    }

    /// An array by its elements, wherever their numbering starts.
    fn elements(&mut self, value: &str, element: &Type, items: &[Node]) -> Result<String, Diagnostic> {
        let mut parts =
            vec![format!("coalesce(array_ndims({value}), 1) = 1 and cardinality({value}) = {}", items.len())];
        for (at, item) in items.iter().enumerate() {
            parts.push(self.of(&format!("({value})[array_lower({value}, 1) + {at}]"), element, item)?);
        }
        Ok(format!("coalesce({}, false)", parts.join(" and ")))
    }

    /// The condition on a piece of JSON, which is NULL where there is none.
    fn json(&mut self, value: &str, node: &Node) -> Result<String, Diagnostic> {
        if let Some(matchers) = matcher::all(node) {
            let parts = matchers.iter().map(|matcher| self.json_one(value, matcher));
            return Ok(format!("({})", parts.collect::<Result<Vec<_>, _>>()?.join(" and ")));
        }
        match &node.content {
            Content::Map(entries) if matcher::is_in(node) => self.members(value, entries),
            Content::List(items) if matcher::is_in(node) => {
                let mut parts = vec![format!("jsonb_array_length({value}) = {}", items.len())];
                for (at, item) in items.iter().enumerate() {
                    parts.push(self.json(&format!("({value} -> {at})"), item)?);
                }
                Ok(when(value, "array", &parts.join(" and ")))
            }
            _ => {
                // What is null here is the JSON value, and a member that is missing is something else.
                let argument = self.bind(node, Some(json_text(node)), "jsonb");
                Ok(format!("coalesce({value} = {argument}::jsonb, false)"))
            }
        }
    }

    fn members(&mut self, value: &str, entries: &[Entry]) -> Result<String, Diagnostic> {
        let keys = self.statement.bind_list(entries.iter().map(|entry| Some(entry.key.clone())).collect());
        let mut parts = vec![format!("{value} - {keys}::text[] = '{{}}' and {value} ?& {keys}::text[]")];
        for (at, entry) in entries.iter().enumerate() {
            let member = format!("({value} -> ({keys}::text[])[{}])", at + 1);
            parts.push(self.json(&member, &entry.value)?);
        }
        Ok(when(value, "object", &parts.join(" and ")))
    }

    fn json_one(&mut self, value: &str, matcher: &Matcher) -> Result<String, Diagnostic> {
        let text = format!("({value} #>> '{{}}')");
        Ok(match *matcher {
            Matcher::Any => "true".to_owned(),
            Matcher::NotNull => format!("coalesce(jsonb_typeof({value}) <> 'null', false)"),
            Matcher::Matches(pattern) => {
                let pattern = self.pattern(pattern);
                when(value, "string", &format!("{text} ~ {pattern}"))
            }
            Matcher::OneOf(items) => self.either(items, &mut |this, item| this.json(value, item))?,
            Matcher::Not(inner) => format!("(not {})", self.json(value, inner)?),
            Matcher::Len(wanted) => {
                let length = format!(
                    "case jsonb_typeof({value}) when 'string' then length({text}) when 'array' then jsonb_array_length({value}) when 'object' then (select count(*) from jsonb_object_keys({value}))::int end"
                );
                format!(
                    "(({length}) is not null and {})",
                    self.of(&format!("({length})"), &integer(), wanted)?
                )
            }
            Matcher::Contains(part) => {
                let whole = self.argument(part, &json())?;
                match &part.content {
                    Content::Scalar(wanted, _) => {
                        let wanted = self.list(vec![Some(wanted.clone())]);
                        format!(
                            "coalesce(case jsonb_typeof({value}) when 'string' then position({wanted} in {text}) > 0 else {value} @> {whole} end, false)"
                        )
                    }
                    _ => format!("coalesce({value} @> {whole}, false)"),
                }
            }
            Matcher::Beyond(..) | Matcher::Between(..) | Matcher::Approx(..) | Matcher::Near(..) => {
                self.json_inside(value, &text, &edges(matcher))?
            }
        })
    }

    /// Numbers in JSON are compared as numbers, texts as texts, letter by letter; and times in it as what
    /// they say.
    fn json_inside(&mut self, value: &str, text: &str, edges: &[Edge]) -> Result<String, Diagnostic> {
        let is_time =
            edges.iter().any(|edge| matches!(edge.width, Width::Time(_)) || from_now(edge.node).is_some());
        if is_time {
            let inside = self.inside(&format!("{text}::timestamptz"), &plain("timestamptz"), edges)?;
            // Nothing else is read as a time, so that no other text is an error.
            return Ok(format!(
                "case when jsonb_typeof({value}) = 'string' and {text} ~ '^\\d{{4}}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d' then {inside} else false end"
            ));
        }
        let is_number = |edge: &Edge| {
            matches!(&edge.node.content, Content::Scalar(_, crate::project::yaml::Scalar::Number))
                || matches!(edge.width, Width::Number(_))
        };
        if edges.iter().all(is_number) {
            let inside = self.inside(&format!("({value})::numeric"), &plain("numeric"), edges)?;
            return Ok(when(value, "number", &inside));
        }
        let inside = self.inside(&format!("{text} collate \"C\""), &plain("text"), edges)?;
        Ok(when(value, "string", &inside))
    }
}

/// A condition that only makes sense for one type of JSON value: others are not even looked at.
fn when(value: &str, json_type: &str, condition: &str) -> String {
    format!("coalesce(case when jsonb_typeof({value}) = '{json_type}' then {condition} end, false)")
}

fn plain(sql: &str) -> Type {
    Type { sql: sql.to_owned(), kind: Kind::Plain }
}

fn integer() -> Type {
    plain("int4")
}

fn json() -> Type {
    Type { sql: "jsonb".to_owned(), kind: Kind::Json }
}

/// Whether a part of a value's text means something.
fn has_text(sql_type: &Type) -> bool {
    !is_number(sql_type) && !matches!(sql_type.sql.as_str(), "bool" | "bytea" | "money" | "oid")
}
