-- A person's weight beside others where slots are short, and what a worker offers beside its slots, for people to read.
ALTER TABLE Principals ADD COLUMN IF NOT EXISTS weight INT UNSIGNED NOT NULL DEFAULT 1
;;
ALTER TABLE Workers ADD COLUMN IF NOT EXISTS offers VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT ''
;;
