-- All return lines of every order touched in the window, from a DuckDB warehouse.
-- Yours will differ: join what you have, and give the columns the contract's names (README).
-- Jinja quotes every value that it puts in. Times: a column with a zone is compared as it is; for
-- a column of the program's local times, put in `window_start | literal(timezone)` instead.
-- Times go out as text, with their offset: DuckDB hands out times with a zone five times as slowly.
-- A row without an order or a time comes along too: it is reported as invalid, never lost.
SELECT
    return_id,
    order_id,
    sku,
    kind,
    quantity,
    amount,
    currency,
    reason,
    CAST(returns.returned_at AS VARCHAR) AS returned_at,
    CAST(returns.updated_at AS VARCHAR) AS updated_at,
    CAST(returns.ordered_at AS VARCHAR) AS ordered_at,
    ordered_quantity,
    ordered_amount,
    voided,
    parent_sku
FROM returns
{% if order_ids is not none %}
WHERE order_id IN ({{ order_ids }})
{% else %}
WHERE
    order_id IN (
        SELECT order_id
        FROM returns
        WHERE returns.updated_at >= {{ window_start }} AND returns.updated_at < {{ window_end }}
    )
    OR (
        order_id IS NULL
        AND returns.updated_at >= {{ window_start }}
        AND returns.updated_at < {{ window_end }}
    )
    OR returns.updated_at IS NULL
{% endif %}
