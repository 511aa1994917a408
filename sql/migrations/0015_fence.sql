-- A transaction passes the fence at its own row of Writers, which carries the epoch. Whoever raises the epoch, by whatever
-- statement, locks that row and changes it with the epoch: neither can do so while the other's transaction is open.
CREATE OR REPLACE TRIGGER epoch_fence AFTER UPDATE ON Coordinator FOR EACH ROW
INSERT INTO Writers (writer, epoch, batch) VALUES (1, NEW.epoch, 0)
ON DUPLICATE KEY UPDATE batch = IF(epoch = NEW.epoch, batch, 0), epoch = NEW.epoch
;;
