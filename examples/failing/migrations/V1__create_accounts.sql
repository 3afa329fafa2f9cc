create table accounts (
    owner text primary key,
    balance numeric not null check (balance >= 0)
);

create function pay(payer text, payee text, amount numeric) returns void language sql as $$
    update accounts set balance = balance - amount where owner = payer;
    update accounts set balance = balance + amount * 0.99 where owner = payee;
$$;
