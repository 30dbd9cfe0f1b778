//! Several futures on one task, side by side.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use super::trouble::Trouble;

/// A future that need not be sent anywhere.
pub(super) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs all to their end and gives their answers in order; at the first failure the others are dropped.
pub(super) async fn all_or_first_failure<T, E>(
    mut futures: Vec<Local<'_, Result<T, E>>>,
) -> Result<Vec<T>, E> {
    let mut answers: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => *answer = Some(value),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await?;
    Ok(answers.into_iter().flatten().collect())
}

/// Plays branches of a record, where nothing is waited for: each to its end. A failure counts before what is not known.
pub(super) async fn one_after_the_other(
    branches: Vec<Local<'_, Result<(), Trouble>>>,
) -> Result<(), Trouble> {
    let mut worst: Option<Trouble> = None;
    for branch in branches {
        if let Err(trouble) = branch.await
            && worst.as_ref().is_none_or(|worst| worst.is_undecided && !trouble.is_undecided)
        {
            worst = Some(trouble);
        }
    }
    worst.map_or(Ok(()), Err)
}

/// The answer of the first that has one; the others are dropped. Never, if there are none.
pub(super) async fn first<T>(mut futures: Vec<Local<'_, T>>) -> T {
    poll_fn(|context| {
        for future in &mut futures {
            if let Poll::Ready(value) = future.as_mut().poll(context) {
                return Poll::Ready(value);
            }
        }
        Poll::Pending
    })
    .await
}
