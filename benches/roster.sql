-- scenarios/roster.yaml as a person would write it for `psql -f`: each step is a transaction of its own.
-- The answers are printed for the reader to judge.

-- Two departments and their people, unless there are any
begin;
with wanted (name, department) as (
  values ('Alice', 'Human Resources'), ('Bob', 'Human Resources'), ('Charlie', 'Information Technology')
), added as (
  insert into departments (name)
  select distinct department from wanted where not exists (select from departments)
  returning id, name
)
insert into employees (name, department_id)
select w.name, a.id from wanted w join added a on a.name = w.department
where not exists (select from employees);
commit;

-- Human Resources employs Alice and Bob
begin;
select e.name from employees e join departments d on d.id = e.department_id where d.name = 'Human Resources';
commit;

-- Alice works in Human Resources
begin;
select d.name as department from employees e join departments d on d.id = e.department_id where e.name = 'Alice';
commit;

-- David joins Information Technology, unless he is there
begin;
insert into employees (name, department_id)
select 'David', d.id from departments d
where d.name = 'Information Technology'
  and not exists (select from employees e where e.name = 'David' and e.department_id = d.id);
commit;

-- Information Technology employs Charlie and David
begin;
select e.name from employees e join departments d on d.id = e.department_id where d.name = 'Information Technology';
commit;

-- Bob leaves, if he is there
begin;
delete from employees where name = 'Bob';
commit;

-- Human Resources employs Alice alone
begin;
select e.name from employees e join departments d on d.id = e.department_id where d.name = 'Human Resources';
commit;

-- Alice stayed and Zoe never was
begin;
select
  exists (
    select from employees e join departments d on d.id = e.department_id
    where e.id = 1 and e.name = 'Alice' and d.name = 'Human Resources'
  ) as alice_stayed,
  not exists (select from employees where name = 'Zoe') as zoe_never_was;
commit;
