-- Make the SQL functions of jobmill_udf.so known to the server. Run once, as an account that may write to mysql.func;
-- the library must lie in the server's plugin_dir. Safe to run twice. Nobody needs a grant to call them: without a
-- scope that only the coordinator's own functions can make, they give NULL.
CREATE OR REPLACE FUNCTION unseal RETURNS STRING SONAME 'jobmill_udf.so';
CREATE OR REPLACE FUNCTION unseal_entry RETURNS STRING SONAME 'jobmill_udf.so';
CREATE OR REPLACE FUNCTION seal_scope RETURNS STRING SONAME 'jobmill_udf.so';
CREATE OR REPLACE FUNCTION scoped RETURNS INTEGER SONAME 'jobmill_udf.so';
CREATE OR REPLACE FUNCTION scoped_text RETURNS STRING SONAME 'jobmill_udf.so';
