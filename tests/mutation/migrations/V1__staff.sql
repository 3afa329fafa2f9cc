create type mood as enum ('sad', 'ok', 'happy');
create table teams (id int generated always as identity primary key, name text not null unique);
create table staff (
  id int generated always as identity primary key,
  name text not null unique,
  team_id int not null references teams (id),
  salary numeric(8,2),
  score float8,
  hired date,
  seen timestamptz,
  tags text[] not null default '{}',
  profile jsonb,
  mood mood
);
