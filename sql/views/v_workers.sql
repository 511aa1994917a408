-- Every worker; everybody sees all.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_workers AS
SELECT p.name AS worker,
  ELT(w.state, 'connected', 'draining', 'lost', 'gone') AS state,
  w.slots AS slots,
  w.slots_busy AS slots_busy,
  w.labels AS labels,
  w.version AS version,
  TIMESTAMPADD(MICROSECOND, NULLIF(w.seen_us, 0), TIMESTAMP'1970-01-01 00:00:00') AS seen_at
FROM Workers w
JOIN Principals p ON p.principal = w.worker
;;
