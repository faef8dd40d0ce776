-- Who has an account here, and from where they are logged in.
-- min_reader_version: 1

-- up

-- What belongs together: the debates of a tenant are seen by nobody else. `local` is the operator's
-- own, which held everything before there were accounts. `owner_id` is '' while nobody owns it.
CREATE TABLE tenants (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  slug TEXT NOT NULL UNIQUE,
  plan TEXT NOT NULL CHECK (plan IN ('free', 'starter', 'professional', 'enterprise')),
  owner_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO tenants (id, name, slug, plan, owner_id, created_ms, updated_ms)
  VALUES ('local', 'local', 'local', 'enterprise', '', 0, 0);

-- `email` in lower case. `password` is a salted hash with its method, '' = nobody can log in.
-- Tokens that were made with a smaller `token_version` count no more.
CREATE TABLE users (
  id TEXT NOT NULL PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE CHECK (email <> ''),
  name TEXT NOT NULL,
  password TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('member', 'owner', 'admin')),
  active INTEGER NOT NULL CHECK (active IN (0, 1)),
  token_version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  last_login_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_age ON users (created_ms, id);
CREATE INDEX users_by_tenant ON users (tenant_id, created_ms, id);

-- One login each, gone when it ends. `refresh_hash` is the SHA-256 of the one refresh token that
-- counts; whoever shows another one of this session shows one that was used before.
CREATE TABLE sessions (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  refresh_hash BLOB NOT NULL CHECK (length(refresh_hash) = 32),
  created_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id, used_ms, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_ms);

-- down

DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tenants;
