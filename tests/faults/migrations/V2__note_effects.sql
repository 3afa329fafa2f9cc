-- A row for every row that comes or goes: what is done twice is seen twice.

create table effects (
  what text not null
);

create function note_effect() returns trigger language plpgsql as $$
begin
  insert into effects values (format('%s %s %s', lower(tg_op), tg_table_name, coalesce(new.name, old.name)));
  return null;
end
$$;

create trigger note_effect after insert or delete on departments
  for each row execute function note_effect();

create trigger note_effect after insert or delete on employees
  for each row execute function note_effect();
