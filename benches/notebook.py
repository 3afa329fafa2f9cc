"""The roster as a notebook tells it, with SQLAlchemy: one cell after another, run from top to bottom."""

import functools
import sys
import time

from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker

engine = create_engine(sys.argv[1], pool_pre_ping=True)
Session = sessionmaker(engine)


class Base(DeclarativeBase):
    pass


class Department(Base):
    __tablename__ = "departments"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    employees: Mapped[list["Employee"]] = relationship(back_populates="department", cascade="all, delete-orphan")


class Employee(Base):
    __tablename__ = "employees"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    department_id: Mapped[int] = mapped_column(ForeignKey("departments.id", ondelete="CASCADE"), index=True)
    department: Mapped[Department] = relationship(back_populates="employees")


def retry(operation, tries=3, delay=1.0):
    """Tries again when the connection fails, after twice as long each time."""

    @functools.wraps(operation)
    def tried(*arguments):
        pause = delay
        for left in reversed(range(tries)):
            try:
                return operation(*arguments)
            except OperationalError:
                if not left:
                    raise
                time.sleep(pause)
                pause *= 2

    return tried


@retry
def create():
    Base.metadata.create_all(engine)


@retry
def populate():
    with Session.begin() as session:
        if session.scalars(select(Department).limit(1)).first() is None:
            hr, it = Department(name="Human Resources"), Department(name="Information Technology")
            hr.employees = [Employee(name="Alice"), Employee(name="Bob")]
            it.employees = [Employee(name="Charlie")]
            session.add_all([hr, it])


@retry
def employees_of(name):
    with Session() as session:
        department = session.scalars(select(Department).where(Department.name == name)).one()
        return [employee.name for employee in department.employees]


@retry
def department_of(name):
    with Session() as session:
        return session.scalars(select(Employee).where(Employee.name == name)).one().department.name


@retry
def join(name, department_name):
    with Session.begin() as session:
        department = session.scalars(select(Department).where(Department.name == department_name)).one()
        if name not in [employee.name for employee in department.employees]:
            department.employees.append(Employee(name=name))


@retry
def leave(name):
    with Session.begin() as session:
        employee = session.scalars(select(Employee).where(Employee.name == name)).first()
        if employee is not None:
            session.delete(employee)


@retry
def is_there(name):
    with Session() as session:
        return session.scalars(select(Employee).where(Employee.name == name)).first() is not None


create()
populate()
print("Human Resources:", employees_of("Human Resources"))
print("Alice:", department_of("Alice"))
join("David", "Information Technology")
print("Information Technology:", employees_of("Information Technology"))
leave("Bob")
print("Human Resources:", employees_of("Human Resources"))
assert is_there("Alice") and not is_there("Zoe")
