-- The opposite of install.sql. Start the coordinator again afterwards: it then makes the views that do without.
DROP FUNCTION IF EXISTS unseal;
DROP FUNCTION IF EXISTS unseal_entry;
DROP FUNCTION IF EXISTS seal_scope;
DROP FUNCTION IF EXISTS scoped;
DROP FUNCTION IF EXISTS scoped_text;
